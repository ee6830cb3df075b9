//! Attacks on the machine: instructions and selectors of ring 0.

use crate::attempt::{Attack, attempt};
use libc::{SIGILL, SIGSEGV, c_int};
use std::arch::asm;

/// An instruction as an attack; registers that it may change are declared.
macro_rules! instruction {
    ($($code:tt)*) => {{
        extern "C" fn attack(argument: u64) {
            // SAFETY: it is to be stopped.
            unsafe {
                asm!(
                    $($code)*,
                    inout("rax") argument => _, out("rcx") _, out("rdx") _,
                );
            }
        }
        attack as Attack
    }};
}

/// All of them; how many were not stopped.
pub fn all() -> u32 {
    const GP: &[c_int] = &[SIGSEGV];
    // Where the CPU does not have it, it is no instruction; some KVMs say so of `int`, too.
    const GP_OR_UD: &[c_int] = &[SIGSEGV, SIGILL];
    let memory = [0_u64; 8];
    let memory = memory.as_ptr() as u64;
    let attacks = [
        ("cli", GP, instruction!("cli")),
        ("sti", GP, instruction!("sti")),
        ("hlt", GP, instruction!("hlt")),
        ("in", GP, instruction!("in al, 0x60")),
        ("out", GP, instruction!("mov dx, 0xf4", "out dx, al")),
        ("rdmsr", GP, instruction!("mov ecx, 0xc0000082", "rdmsr")),
        (
            "wrmsr",
            GP,
            instruction!(
                "mov ecx, 0xc0000082",
                "xor eax, eax",
                "xor edx, edx",
                "wrmsr"
            ),
        ),
        ("read cr0", GP, instruction!("mov rax, cr0")),
        ("read cr3", GP, instruction!("mov rax, cr3")),
        ("write cr3", GP, instruction!("mov cr3, rax")),
        ("write cr4", GP, instruction!("mov cr4, rax")),
        ("write dr7", GP, instruction!("mov dr7, rax")),
        ("lgdt", GP, instruction!("lgdt [rax]")),
        ("lidt", GP, instruction!("lidt [rax]")),
        ("lldt", GP, instruction!("lldt ax")),
        ("ltr", GP, instruction!("ltr ax")),
        ("lmsw", GP, instruction!("lmsw ax")),
        ("clts", GP, instruction!("clts")),
        ("invlpg", GP, instruction!("invlpg [rax]")),
        ("wbinvd", GP, instruction!("wbinvd")),
        ("swapgs", GP, instruction!("swapgs")),
        ("sysretq", GP_OR_UD, instruction!("sysretq")),
        (
            "xsetbv",
            GP_OR_UD,
            instruction!("xor ecx, ecx", "xor edx, edx", "mov eax, 1", "xsetbv"),
        ),
        ("an exception by name", GP_OR_UD, instruction!("int 0x0e")),
        ("an interrupt by name", GP_OR_UD, instruction!("int 0x20")),
        (
            "a stack of ring 0",
            GP,
            instruction!("mov eax, 0x18", "mov ss, ax"),
        ),
        ("a return to ring 0", GP, RETURN),
        (
            "ports, after asking for them",
            GP,
            instruction!(
                "pushfq",
                "or qword ptr [rsp], 0x3000",
                "popfq",
                "in al, 0x60"
            ),
        ),
        (
            "interrupts off, after asking",
            GP,
            instruction!("pushfq", "and qword ptr [rsp], ~0x200", "popfq", "cli"),
        ),
    ];
    attacks
        .into_iter()
        .map(|(name, signals, attack)| attempt(name, signals, attack, memory))
        .sum()
}

/// `iretq` with a frame that names ring 0.
const RETURN: Attack = instruction!(
    "mov rcx, rsp",
    "push 0x18",
    "push rcx",
    "push 0x202",
    "push 0x10",
    "lea rdx, [rip + 2f]",
    "push rdx",
    "iretq",
    "2:"
);
