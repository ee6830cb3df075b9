//! One visit: registers are filled, something happens, registers are read.

use std::arch::global_asm;

/// The registers by name, in the order of [`Area::general`].
const GENERAL: [&str; 12] = [
    "rbx", "rbp", "rdi", "rsi", "rdx", "r8", "r9", "r10", "r12", "r13", "r14", "flags",
];

/// What the assembly reads and writes; it knows the offsets.
#[repr(C, align(32))]
struct Area {
    /// YMM0 to YMM15 as they are filled; only the lower halves without AVX.
    vector: [[u64; 4]; 16],
    /// The same as they were found.
    vector_found: [[u64; 4]; 16],
    general: [u64; 12],
    general_found: [u64; 12],
    /// The 128 bytes below the stack pointer as they were found.
    red_zone_found: [u64; 16],
    /// An x87 register, and as it was found.
    x87: f64,
    x87_found: f64,
    mxcsr: u32,
    mxcsr_found: u32,
    /// Nonzero: 256-bit registers.
    avx: u64,
    /// The number of a system call, or -1.
    call: i64,
    /// How often to call, or to loop.
    spins: u64,
    /// Where uname(2) writes.
    buffer: [u8; 512],
}

// Offsets: vector 0, vector_found 512, general 1024, general_found 1120, red_zone_found 1216,
// x87 1344, x87_found 1352, mxcsr 1360, mxcsr_found 1364, avx 1368, call 1376, spins 1384.
const _: () = {
    assert!(std::mem::offset_of!(Area, red_zone_found) == 1216);
    assert!(std::mem::offset_of!(Area, x87) == 1344 && std::mem::offset_of!(Area, spins) == 1384);
};

global_asm!(
    ".macro STRAIN_VECTORS avx_op, sse_op, base, store",
    "    cmp qword ptr [r15 + 1368], 0",
    "    je 1f",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "    .if \\store",
    "    \\avx_op [r15 + \\base + \\n*32], ymm\\n",
    "    .else",
    "    \\avx_op ymm\\n, [r15 + \\base + \\n*32]",
    "    .endif",
    ".endr",
    "    jmp 2f",
    "1:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "    .if \\store",
    "    \\sse_op [r15 + \\base + \\n*32], xmm\\n",
    "    .else",
    "    \\sse_op xmm\\n, [r15 + \\base + \\n*32]",
    "    .endif",
    ".endr",
    "2:",
    ".endm",
    ".pushsection .text.strain,\"ax\",@progbits",
    ".balign 16",
    // rdi = the area, which stays in r15: whoever loses that loses everything.
    "strain_visit:",
    "    push rbx",
    "    push rbp",
    "    push r12",
    "    push r13",
    "    push r14",
    "    push r15",
    "    sub rsp, 24",
    "    stmxcsr [rsp + 16]",
    "    mov r15, rdi",
    "    STRAIN_VECTORS vmovdqa, movdqa, 0, 0",
    "    fninit",
    "    fld qword ptr [r15 + 1344]",
    "    ldmxcsr [r15 + 1360]",
    // The red zone has the first words of the vector area.
    ".irp n,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
    "    mov rax, [r15 + \\n*8]",
    "    mov [rsp - \\n*8], rax",
    ".endr",
    "    mov rbx, [r15 + 1024]",
    "    mov rbp, [r15 + 1032]",
    "    mov rdi, [r15 + 1040]",
    "    mov rsi, [r15 + 1048]",
    "    mov rdx, [r15 + 1056]",
    "    mov r8, [r15 + 1064]",
    "    mov r9, [r15 + 1072]",
    "    mov r10, [r15 + 1080]",
    "    mov r12, [r15 + 1088]",
    "    mov r13, [r15 + 1096]",
    "    mov r14, [r15 + 1104]",
    "    cmp qword ptr [r15 + 1376], 0",
    "    jl 4f",
    "3:  mov rax, [r15 + 1376]",
    "    syscall",
    "    dec qword ptr [r15 + 1384]",
    "    jnz 3b",
    "    jmp 5f",
    "4:  mov rcx, [r15 + 1384]",
    "6:  dec rcx",
    "    jnz 6b",
    "5:  mov [r15 + 1120], rbx",
    "    mov [r15 + 1128], rbp",
    "    mov [r15 + 1136], rdi",
    "    mov [r15 + 1144], rsi",
    "    mov [r15 + 1152], rdx",
    "    mov [r15 + 1160], r8",
    "    mov [r15 + 1168], r9",
    "    mov [r15 + 1176], r10",
    "    mov [r15 + 1184], r12",
    "    mov [r15 + 1192], r13",
    "    mov [r15 + 1200], r14",
    ".irp n,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
    "    mov rax, [rsp - \\n*8]",
    "    mov [r15 + 1216 + (\\n-1)*8], rax",
    ".endr",
    "    STRAIN_VECTORS vmovdqa, movdqa, 512, 1",
    "    fstp qword ptr [r15 + 1352]",
    "    stmxcsr [r15 + 1364]",
    "    ldmxcsr [rsp + 16]",
    "    cmp qword ptr [r15 + 1368], 0",
    "    je 7f",
    "    vzeroupper",
    "7:  add rsp, 24",
    "    pop r15",
    "    pop r14",
    "    pop r13",
    "    pop r12",
    "    pop rbp",
    "    pop rbx",
    "    ret",
    ".popsection",
);

unsafe extern "C" {
    fn strain_visit(area: *mut Area);
}

/// The memory of one thread's visits.
pub struct Visit(Box<Area>);

impl Visit {
    /// Nothing filled in yet.
    pub fn new() -> Self {
        Self(Box::new(Area {
            vector: [[0; 4]; 16],
            vector_found: [[0; 4]; 16],
            general: [0; 12],
            general_found: [0; 12],
            red_zone_found: [0; 16],
            x87: 0.0,
            x87_found: 0.0,
            mxcsr: 0,
            mxcsr_found: 0,
            avx: u64::from(std::arch::is_x86_feature_detected!("avx")),
            call: -1,
            spins: 0,
            buffer: [0; 512],
        }))
    }

    /// Chooses what the registers will have.
    pub fn fill(&mut self, pattern: u64) {
        let area = &mut *self.0;
        let mut word = pattern;
        let mut next = || {
            word += 1;
            word
        };
        area.vector
            .iter_mut()
            .flatten()
            .for_each(|lane| *lane = next());
        area.general
            .iter_mut()
            .for_each(|register| *register = next());
        // uname(2)'s argument must be good; the other calls look at none.
        area.general[2] = area.buffer.as_mut_ptr() as u64;
        area.general[11] = 0;
        area.x87 = next() as f64;
        // All exceptions masked; the rounding mode is the pattern's.
        area.mxcsr = 0x1f80 | (pattern as u32 >> 8 & 3) << 13;
    }

    /// Makes the visit: `spins` calls of `call`, or a loop. Says what was lost, if anything.
    pub fn run(&mut self, call: Option<i64>, spins: u64) -> Option<String> {
        let area = &mut *self.0;
        (area.call, area.spins) = (call.unwrap_or(-1), spins);
        // SAFETY: the assembly keeps the C ABI, and reads and writes the area and the 128 bytes
        // below its own frame; the calls that are made write at most `buffer`.
        unsafe { strain_visit(area) };
        area.compare()
    }
}

impl Area {
    fn compare(&self) -> Option<String> {
        let lanes = if self.avx != 0 { 4 } else { 2 };
        for (number, (filled, found)) in self.vector.iter().zip(&self.vector_found).enumerate() {
            if filled[..lanes] != found[..lanes] {
                return Some(format!(
                    "vector register {number}: {filled:x?}, found {found:x?}"
                ));
            }
        }
        let pairs = self.general.iter().zip(&self.general_found);
        if let Some((name, (filled, found))) = GENERAL
            .iter()
            .zip(pairs)
            .take(11)
            .find(|(_, pair)| pair.0 != pair.1)
        {
            return Some(format!("{name}: {filled:x}, found {found:x}"));
        }
        let filled = &self.vector.as_flattened()[1..17];
        if filled != self.red_zone_found {
            return Some(format!(
                "red zone: {filled:x?}, found {:x?}",
                self.red_zone_found
            ));
        }
        if self.x87.to_bits() != self.x87_found.to_bits() {
            return Some(format!("x87: {}, found {}", self.x87, self.x87_found));
        }
        (self.mxcsr != self.mxcsr_found)
            .then(|| format!("mxcsr: {:x}, found {:x}", self.mxcsr, self.mxcsr_found))
    }
}
