//! `cargo lintel check-object`: what the kernel object promises, checked on its machine code.
//!
//! - A fast handler (a symbol `lintel_fast_*`) runs on the caller's stack without saving vector
//!   registers: it and everything it calls touch no XMM, YMM, MMX, x87 or mask register, and use at
//!   most [`STACK_LIMIT`] bytes of stack.
//! - Code and data together are at most [`SIZE_LIMIT`] bytes.
//! - The object shows no symbols but `lintel_*`, and needs none but the linker's own.

mod code;
mod stack;

use crate::compile;
use crate::project::Project;
use anyhow::{Context, Result};
use code::Code;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind};
use stack::{Summary, Walker};
use std::path::{Path, PathBuf};

/// The most stack a fast handler may use, in bytes, its return address included.
const STACK_LIMIT: u64 = 512;
/// The most code and initialised data the object may have, in bytes.
const SIZE_LIMIT: u64 = 512 << 10;
/// The names of fast handlers begin with this, those of their ways out with [`COLD`].
const FAST: &str = "lintel_fast_";
/// The cold path of a fast handler is not itself fast.
const COLD: &str = "lintel_fast_cold_";
/// Symbols of the linker that the object may refer to.
const LINKER: [&str; 3] = ["__ehdr_start", "_end", "_GLOBAL_OFFSET_TABLE_"];

/// Checks the object `file`, or builds the object and checks that; the result is the exit code.
pub fn run(file: Option<&Path>) -> Result<u8> {
    let (full, linkable) = match file {
        Some(file) => (file.to_path_buf(), linkable_beside(file)),
        None => {
            let options = compile::Options::default();
            let object = compile::object(Project::current_if_any()?.as_ref(), &options)?;
            (
                object.full.unwrap_or_else(|| object.linkable.clone()),
                object.linkable,
            )
        }
    };
    let mut problems = check_handlers(&Code::load(&full)?);
    problems.extend(check_size(&linkable)?);
    problems.extend(check_symbols(&linkable)?);
    for problem in &problems {
        println!("problem: {problem}");
    }
    match problems.len() {
        0 => println!("check-object: everything holds"),
        count => println!("check-object: {count} problems"),
    }
    Ok(u8::from(!problems.is_empty()))
}

/// The object that is linked, given the one with all its symbols.
fn linkable_beside(full: &Path) -> PathBuf {
    let name = full
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .replace("-full.o", ".o");
    let beside = full.with_file_name(name);
    if beside.is_file() {
        beside
    } else {
        full.to_path_buf()
    }
}

/// Checks the fast handlers and prints their table.
fn check_handlers(code: &Code) -> Vec<String> {
    let mut handlers = code.symbols_with_prefix(FAST);
    handlers.retain(|(name, _)| !name.starts_with(COLD));
    if handlers.is_empty() {
        return vec![format!(
            "there are no fast handlers ({FAST}*): is this the full object?"
        )];
    }
    let mut walker = Walker::new(code);
    let mut problems = Vec::new();
    println!("{:<44} {:>6} {:>10}", "fast handler", "stack", "functions");
    for (name, address) in handlers {
        let summary = walker.walk(address);
        let wrong = handler_problems(&name, &summary);
        let verdict = if wrong.is_empty() { "ok" } else { "FAIL" };
        println!(
            "{name:<44} {:>6} {:>10}  {verdict}",
            summary.depth, summary.functions
        );
        problems.extend(wrong);
    }
    problems
}

fn handler_problems(name: &str, summary: &Summary) -> Vec<String> {
    let mut wrong: Vec<String> = summary
        .problems
        .iter()
        .map(|problem| format!("{name}: {problem}"))
        .collect();
    if summary.depth > STACK_LIMIT {
        wrong.push(format!(
            "{name}: {} bytes of stack, {STACK_LIMIT} allowed",
            summary.depth
        ));
    }
    wrong
}

/// Prints the sizes and checks their sum.
fn check_size(path: &Path) -> Result<Option<String>> {
    let data = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file = object::File::parse(&*data)?;
    let (mut text, mut constants, mut variables, mut zeros) = (0, 0, 0, 0);
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
            continue;
        };
        if !sh_flags.contains(object::elf::SHF_ALLOC) {
            continue;
        }
        let writable = sh_flags.contains(object::elf::SHF_WRITE);
        *match (section.kind(), writable) {
            (SectionKind::Text, _) => &mut text,
            (SectionKind::UninitializedData, _) => &mut zeros,
            (_, true) => &mut variables,
            (_, false) => &mut constants,
        } += section.size();
    }
    let sum = text + constants + variables;
    println!(
        "size: {sum} bytes (code {text}, constants {constants}, variables {variables}; and {zeros} \
         of zeros)"
    );
    Ok((sum > SIZE_LIMIT).then(|| format!("{sum} bytes of code and data, {SIZE_LIMIT} allowed")))
}

/// Checks which symbols the object shows and needs.
fn check_symbols(path: &Path) -> Result<Vec<String>> {
    let data = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file = object::File::parse(&*data)?;
    let mut problems = Vec::new();
    for symbol in file.symbols().filter(ObjectSymbol::is_global) {
        let name = symbol.name().unwrap_or_default();
        if symbol.is_undefined() {
            let weak = symbol.is_weak();
            println!("needs: {name}{}", if weak { " (weak)" } else { "" });
            if !weak && !LINKER.contains(&name) {
                problems.push(format!("the object needs the symbol {name}"));
            }
        } else if !name.starts_with("lintel_") {
            problems.push(format!("the object shows the symbol {name}"));
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Assembles a text and checks its handlers; nothing where there is no assembler.
    fn checked(text: &str) -> Option<Vec<(String, Summary)>> {
        let directory = tempfile::tempdir().unwrap();
        let (source, object) = (directory.path().join("a.s"), directory.path().join("a.o"));
        std::fs::write(&source, text).unwrap();
        let assembled = Command::new("as")
            .arg("--64")
            .arg("-o")
            .args([&object, &source])
            .status();
        if !assembled.ok()?.success() {
            panic!("the assembler refused the text");
        }
        let code = Code::load(&object).unwrap();
        let mut walker = Walker::new(&code);
        let handlers = code.symbols_with_prefix(FAST);
        Some(
            handlers
                .into_iter()
                .map(|(name, at)| (name, walker.walk(at)))
                .collect(),
        )
    }

    fn problems_of(text: &str) -> Option<(u64, String)> {
        let text = format!(
            ".text\n.globl lintel_fast_x\n.type lintel_fast_x,@function\nlintel_fast_x:\n{text}\n"
        );
        let (_, summary) = checked(&text)?
            .into_iter()
            .find(|(name, _)| name == "lintel_fast_x")?;
        Some((summary.depth, summary.problems.join("; ")))
    }

    macro_rules! expect {
        ($text:expr, $depth:expr, $problem:expr) => {
            if let Some((depth, problems)) = problems_of($text) {
                assert_eq!(depth, $depth, "{problems}");
                match $problem {
                    "" => assert_eq!(problems, ""),
                    wanted => assert!(problems.contains(wanted), "{problems}"),
                }
            }
        };
    }

    #[test]
    fn depth_counts_pushes_frames_and_calls() {
        expect!("ret", 8, "");
        expect!(
            "push %rbx\nsub $40, %rsp\nadd $40, %rsp\npop %rbx\nret",
            56,
            ""
        );
        expect!(
            "push %rbp\nmov %rsp, %rbp\nsub $64, %rsp\nleave\nret",
            80,
            ""
        );
        expect!(
            "sub $8, %rsp\ncall f\nadd $8, %rsp\nret\nf: push %rax\npop %rax\nret",
            32,
            ""
        );
        expect!("sub $24, %rsp\nadd $24, %rsp\njmp f\nf: ret", 32, "");
        expect!("lea -128(%rsp), %rsp\nlea 128(%rsp), %rsp\nret", 136, "");
        expect!(
            "push %rbp\nmov %rsp,%rbp\nand $-64, %rsp\nmov %rbp,%rsp\npop %rbp\nret",
            79,
            ""
        );
    }

    #[test]
    fn calls_to_other_sections_are_followed() {
        let other =
            "call f\nret\n.section .text.f,\"ax\"\n.type f,@function\nf: push %rax\npop %rax\nret";
        expect!(other, 24, "");
        let local = "call .Lf\nret\n.section .text.f,\"ax\"\nnop\n.Lf: movaps %xmm0, %xmm1\nret";
        expect!(local, 16, "uses XMM");
    }

    #[test]
    fn vector_and_x87_registers_are_found() {
        expect!("pxor %xmm3, %xmm3\nret", 8, "uses XMM3");
        expect!("vzeroupper\nret", 8, "Vzeroupper uses");
        expect!("fld1\nret", 8, "Fld1 uses");
        // What gives them back may use them; what it calls may not.
        let keeping = "call lintel_ua_wide_x\nret\nlintel_ua_wide_x: vzeroupper\n";
        expect!(&format!("{keeping}ret"), 16, "");
        expect!(
            &format!("{keeping}jmp f\nf: vzeroupper\nret"),
            16,
            "Vzeroupper uses"
        );
        expect!(
            "test %edi,%edi\nje 1f\nret\n1: movd %eax, %mm0\nret",
            8,
            "uses MM0"
        );
    }

    #[test]
    fn what_cannot_be_followed_is_a_problem() {
        expect!("call *%rax\nret", 8, "indirect call");
        expect!("jmp *%rax", 8, "indirect jump");
        expect!("call lintel_fast_x\nret", 16, "calls itself");
        expect!("call elsewhere\nret", 8, "elsewhere");
        expect!("mov %rdi, %rsp\nret", 8, "cannot be followed");
        expect!("1: push %rax\njmp 1b", ABSURD_DEPTH, "without a bound");
    }

    /// The first depth beyond the bound of `stack`.
    const ABSURD_DEPTH: u64 = (1 << 16) + 8;

    #[test]
    fn panics_and_cold_paths_are_leaves() {
        expect!(
            "je 1f\nret\n1: call f\nud2\nf: movaps %xmm0,%xmm1\nret",
            8,
            ""
        );
        expect!("call _ZN4core9panicking5panic17h0123456789abcdefE", 8, "");
        expect!("call lintel_fast_cold_y\nret", 8, "");
        expect!("jmp lintel_fast_cold_y", 8, "");
    }

    #[test]
    fn jump_tables_are_followed() {
        let text = "jmp *table(,%rdi,8)\n1: ret\n2: pxor %xmm0, %xmm0\nret\n\
            .size lintel_fast_x, . - lintel_fast_x\n.section .rodata\ntable: .quad 1b, 2b";
        expect!(text, 8, "uses XMM0");
        expect!(
            "call *f@GOTPCREL(%rip)\nret\nf: pxor %xmm0, %xmm0\nret",
            16,
            "uses XMM0"
        );
    }
}
