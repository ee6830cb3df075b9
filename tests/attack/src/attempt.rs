//! Runs a function that should be stopped by a signal, and goes on behind it.

use libc::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP, c_int, c_void, siginfo_t, ucontext_t};
use std::arch::{asm, global_asm};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};

/// An attack, and what it is told: an address, mostly.
pub type Attack = extern "C" fn(u64);

global_asm!(
    // attack_attempt(function, argument, place for the stack pointer)
    ".globl attack_attempt, attack_landing",
    "attack_attempt:",
    "push rbx; push rbp; push r12; push r13; push r14; push r15; push rdx",
    "mov [rdx], rsp",
    "mov rax, rdi",
    "mov rdi, rsi",
    "call rax",
    // The handler comes here, with the stack pointer of the call.
    "attack_landing:",
    "cld",
    "pop rdx; pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx",
    "ret",
);

unsafe extern "C" {
    fn attack_attempt(function: Attack, argument: u64, stack: *mut u64);
    fn attack_landing();
}

static STACK: AtomicU64 = AtomicU64::new(0);
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);

const FATAL: [c_int; 5] = [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP];

extern "C" fn caught(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's, for the time of the handler.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<ucontext_t>()) };
    SIGNAL.store(signal, SeqCst);
    CODE.store(info.si_code, SeqCst);
    let registers = &mut context.uc_mcontext.gregs;
    registers[libc::REG_RSP as usize] = STACK.load(SeqCst) as i64;
    registers[libc::REG_RIP as usize] = attack_landing as *const () as i64;
}

/// Installs the handler, on the alternate stack that the standard library has made.
pub fn prepare() {
    for signal in FATAL {
        // SAFETY: a sigaction of zeros is one; the handler only stores to statics and the frame.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = caught as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// No handler at all, not even that of the standard library.
pub fn unguard() {
    for signal in FATAL {
        // SAFETY: SIG_DFL calls nothing.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Tries an attack that must end in one of `signals`; says what stopped it where that is certain. 1 when nothing did, or
/// something else.
pub fn attempt(name: &str, signals: &[c_int], attack: Attack, argument: u64) -> u32 {
    SIGNAL.store(0, SeqCst);
    // SAFETY: the handler restores what the call preserves: the attack changes only what it names.
    unsafe { attack_attempt(attack, argument, STACK.as_ptr()) };
    let (signal, code) = (SIGNAL.load(SeqCst), CODE.load(SeqCst));
    if signals.contains(&signal) {
        match signals {
            [_] => println!("{name}: signal {signal} code {code}"),
            _ => println!("{name}: stopped"),
        }
        return 0;
    }
    println!("{name}: NOT STOPPED as it should be: signal {signal}");
    1
}

/// An access by its name.
pub fn access(how: &str) -> Option<Attack> {
    Some(match how {
        "read" => read,
        "write" => write,
        "execute" => execute,
        _ => return None,
    })
}

/// Reads a byte.
pub extern "C" fn read(address: u64) {
    // SAFETY: it is to be stopped; what is read is not used.
    unsafe { asm!("mov {0}, [{1}]", out(reg_byte) _, in(reg) address) }
}

/// Writes a byte.
pub extern "C" fn write(address: u64) {
    // SAFETY: it is to be stopped.
    unsafe { asm!("mov byte ptr [{0}], 0xc3", in(reg) address) }
}

/// Calls.
pub extern "C" fn execute(address: u64) {
    // SAFETY: it is to be stopped.
    unsafe { asm!("call {0}", in(reg) address, clobber_abi("C")) }
}
