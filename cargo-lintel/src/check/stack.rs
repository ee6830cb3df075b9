//! Follows the code of a function and of everything it calls: which registers it touches, how deep
//! its stack gets.

use crate::check::code::{Code, Decoded, Target};
use iced_x86::{
    Code as Opcode, CpuidFeature, FlowControl, Instruction, InstructionInfoFactory, Mnemonic,
    OpAccess, OpKind, Register,
};
use std::collections::{HashMap, HashSet};

/// A stack deeper than this many bytes is not followed further.
const ABSURD: u64 = 1 << 16;
/// The return address.
const RETURN: u64 = 8;
/// Code whose symbols begin with this uses vector registers and gives them back as they were.
const KEEPING: &str = "lintel_ua_wide_";

/// What is known of a function.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The deepest its stack gets, in bytes, the return address included.
    pub depth: u64,
    /// What is wrong, each with its place.
    pub problems: Vec<String>,
    /// How many functions it consists of, itself included.
    pub functions: usize,
}

/// The state of the stack before an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    address: u64,
    depth: u64,
    /// The depth `rbp` points at, if it serves as frame pointer.
    frame: Option<u64>,
}

/// Walks functions and remembers what it has found.
pub struct Walker<'a> {
    code: &'a Code,
    known: HashMap<u64, Summary>,
    /// The functions being walked, to notice recursion.
    active: Vec<u64>,
    info: InstructionInfoFactory,
}

/// Where control goes after an instruction.
struct Next {
    /// The next instructions.
    addresses: Vec<u64>,
    /// Functions called.
    calls: Vec<u64>,
}

impl<'a> Walker<'a> {
    /// A walker through `code`.
    pub fn new(code: &'a Code) -> Self {
        let info = InstructionInfoFactory::new();
        Self {
            code,
            known: HashMap::new(),
            active: Vec::new(),
            info,
        }
    }

    /// Summarises the function at `entry` together with everything it calls.
    pub fn walk(&mut self, entry: u64) -> Summary {
        if let Some(known) = self.known.get(&entry) {
            return known.clone();
        }
        let mut summary = Summary {
            depth: RETURN,
            functions: 1,
            ..Summary::default()
        };
        if self.active.contains(&entry) {
            summary
                .problems
                .push(format!("{} calls itself", self.name(entry)));
            return summary;
        }
        self.active.push(entry);
        let mut seen = HashSet::new();
        let mut called = HashSet::new();
        let mut pending = vec![State {
            address: entry,
            depth: RETURN,
            frame: None,
        }];
        while let Some(state) = pending.pop() {
            if !seen.insert(state) {
                continue;
            }
            match self.step(state, &mut summary) {
                Ok((next, after)) => {
                    called.extend(next.calls);
                    let successor = |address| State { address, ..after };
                    pending.extend(next.addresses.into_iter().map(successor));
                }
                Err(problem) => {
                    summary
                        .problems
                        .push(format!("{}: {problem}", self.place(state.address)));
                }
            }
        }
        summary.functions += called
            .iter()
            .map(|callee| self.walk(*callee).functions)
            .sum::<usize>();
        self.active.pop();
        summary.problems.sort();
        summary.problems.dedup();
        self.known.insert(entry, summary.clone());
        summary
    }

    /// One instruction: checks it and says where control goes and what the stack is then.
    fn step(&mut self, state: State, summary: &mut Summary) -> Result<(Next, State), String> {
        let decoded = self
            .code
            .decode(state.address)
            .ok_or("there is no code here")?;
        let instruction = &decoded.instruction;
        if !self.gives_back(state.address)
            && let Some(register) = self.forbidden_register(instruction)
        {
            let mnemonic = instruction.mnemonic();
            summary.problems.push(format!(
                "{}: {mnemonic:?} uses {register}",
                self.place(state.address)
            ));
        }
        let after = self.stack_after(state, instruction)?;
        summary.depth = summary.depth.max(after.depth);
        if after.depth > ABSURD {
            return Err("the stack grows without a bound".into());
        }
        let next = self.next(&decoded)?;
        for &callee in &next.calls {
            let inner = self.walk(callee);
            summary.depth = summary.depth.max(after.depth + inner.depth);
            summary.problems.extend(inner.problems);
        }
        Ok((next, after))
    }

    /// Whether the code at `address` restores the vector registers that it uses.
    fn gives_back(&self, address: u64) -> bool {
        let function = self.code.function_at(address);
        function.is_some_and(|(name, _)| name.starts_with(KEEPING))
    }

    /// A vector, MMX or x87 register that the instruction touches.
    fn forbidden_register(&mut self, instruction: &Instruction) -> Option<String> {
        let is_vector = |register: Register| {
            register.is_vector_register() || register.is_mm() || register.is_st() || register.is_k()
        };
        let info = self.info.info(instruction);
        let used = info
            .used_registers()
            .iter()
            .find(|used| is_vector(used.register()));
        let x87 = instruction.cpuid_features().contains(&CpuidFeature::FPU);
        match used {
            Some(used) => Some(format!("{:?}", used.register())),
            None => x87.then(|| "the x87 unit".to_owned()),
        }
    }

    /// The stack after the instruction.
    fn stack_after(&mut self, state: State, instruction: &Instruction) -> Result<State, String> {
        use Register::{RBP, RSP};
        let mut after = state;
        let from_memory = |base: Register| {
            instruction.memory_base() == base && instruction.memory_index() == Register::None
        };
        let frame = || {
            state
                .frame
                .ok_or_else(|| "the frame pointer is not known".to_owned())
        };
        match instruction.mnemonic() {
            Mnemonic::Call | Mnemonic::Ret => {}
            Mnemonic::Leave => {
                after.depth = frame()?.wrapping_sub(8);
                after.frame = None;
            }
            Mnemonic::Mov if writes(instruction, RBP) && instruction.op1_register() == RSP => {
                after.frame = Some(state.depth);
            }
            Mnemonic::Mov if writes(instruction, RSP) && instruction.op1_register() == RBP => {
                after.depth = frame()?;
            }
            Mnemonic::Lea if writes(instruction, RSP) && from_memory(RSP) => {
                after.depth = state
                    .depth
                    .wrapping_sub(instruction.memory_displacement64());
            }
            Mnemonic::Lea if writes(instruction, RSP) && from_memory(RBP) => {
                after.depth = frame()?.wrapping_sub(instruction.memory_displacement64());
            }
            Mnemonic::Sub | Mnemonic::Add | Mnemonic::And if writes(instruction, RSP) => {
                after.depth = arithmetic(state.depth, instruction)?;
            }
            _ => {
                let change = i64::from(instruction.stack_pointer_increment());
                if change == 0 && self.changes(instruction, RSP) {
                    return Err("the stack pointer cannot be followed".into());
                }
                after.depth = state.depth.wrapping_add_signed(-change);
                if self.changes(instruction, RBP) {
                    after.frame = None;
                }
            }
        }
        if after.depth > i64::MAX as u64 {
            return Err("the stack shrinks below its start".into());
        }
        Ok(after)
    }

    fn changes(&mut self, instruction: &Instruction, register: Register) -> bool {
        let written = |access| {
            matches!(
                access,
                OpAccess::Write
                    | OpAccess::ReadWrite
                    | OpAccess::CondWrite
                    | OpAccess::ReadCondWrite
            )
        };
        let info = self.info.info(instruction);
        let mut used = info.used_registers().iter();
        used.any(|used| used.register().full_register() == register && written(used.access()))
    }

    fn next(&self, decoded: &Decoded) -> Result<Next, String> {
        let instruction = &decoded.instruction;
        let (mut addresses, mut calls) = (Vec::new(), Vec::new());
        let fall_through = instruction.next_ip();
        match instruction.flow_control() {
            FlowControl::Next | FlowControl::Interrupt => addresses.push(fall_through),
            // `syscall` and its like come back.
            FlowControl::Call if instruction.mnemonic() != Mnemonic::Call => {
                addresses.push(fall_through);
            }
            FlowControl::Call | FlowControl::IndirectCall => {
                let target = decoded.branch.as_ref().ok_or("indirect call")?;
                if !self.never_returns(fall_through) && !self.is_leaf(target) {
                    calls.push(self.defined(target)?);
                }
                if !self.never_returns(fall_through) && !self.is_panic(target) {
                    addresses.push(fall_through);
                }
            }
            FlowControl::ConditionalBranch => {
                addresses.push(fall_through);
                addresses.extend(self.jump(decoded)?);
            }
            FlowControl::UnconditionalBranch | FlowControl::IndirectBranch => {
                addresses.extend(self.jump(decoded)?);
            }
            FlowControl::Return | FlowControl::Exception => {}
            FlowControl::XbeginXabortXend => return Err("a transaction".into()),
        }
        Ok(Next { addresses, calls })
    }

    /// Where a jump goes: one place, the places of a jump table, or nowhere of interest.
    fn jump(&self, decoded: &Decoded) -> Result<Vec<u64>, String> {
        match (&decoded.branch, &decoded.memory) {
            (Some(target), _) if self.is_leaf(target) => Ok(Vec::new()),
            (Some(target), _) => Ok(vec![self.defined(target)?]),
            (None, Some(Target::Address(table))) => {
                self.jump_table(decoded.instruction.ip(), *table)
            }
            (None, _) => Err("indirect jump".into()),
        }
    }

    /// The entries of the table of pointers at `table` that stay in the function of `from`.
    fn jump_table(&self, from: u64, table: u64) -> Result<Vec<u64>, String> {
        let (_, own) = self.code.function_at(from).ok_or("indirect jump")?;
        let entries = (0..).map_while(|n| self.code.pointer_at(table + 8 * n));
        let targets: Vec<u64> = entries.take_while(|target| own.contains(target)).collect();
        if targets.is_empty() {
            Err("indirect jump".into())
        } else {
            Ok(targets)
        }
    }

    fn defined(&self, target: &Target) -> Result<u64, String> {
        match target {
            Target::Address(address) => Ok(*address),
            Target::Undefined(name) => Err(format!("goes to {name}, which is not in the object")),
        }
    }

    /// The compiler puts `ud2` after a call that does not return.
    fn never_returns(&self, after_call: u64) -> bool {
        self.code
            .decode(after_call)
            .is_some_and(|next| next.instruction.code() == Opcode::Ud2)
    }

    /// A function that is not looked into: a panic, or the cold path of a fast handler, which
    /// saves the vector registers and leaves the caller's stack itself.
    fn is_leaf(&self, target: &Target) -> bool {
        self.is_panic(target) || self.target_name(target).starts_with("lintel_fast_cold_")
    }

    fn is_panic(&self, target: &Target) -> bool {
        let name = format!("{:#}", rustc_demangle::demangle(&self.target_name(target)));
        let ours = name.starts_with("core::") || name.starts_with("alloc::");
        let last = name.rsplit("::").next().unwrap_or_default();
        name.starts_with("core::panicking::")
            || name == "rust_begin_unwind"
            || (ours
                && (last.starts_with("panic")
                    || last.ends_with("_fail")
                    || last.ends_with("_failed")))
    }

    fn target_name(&self, target: &Target) -> String {
        match target {
            Target::Undefined(name) => name.clone(),
            Target::Address(address) => match self.code.function_at(*address) {
                Some((name, range)) if range.start == *address => name.to_owned(),
                _ => String::new(),
            },
        }
    }

    fn name(&self, address: u64) -> String {
        let name = self.code.function_at(address).map_or("?", |(name, _)| name);
        format!("{:#}", rustc_demangle::demangle(name))
    }

    fn place(&self, address: u64) -> String {
        let start = self
            .code
            .function_at(address)
            .map_or(address, |(_, range)| range.start);
        format!("{}+{:#x}", self.name(address), address - start)
    }
}

/// Whether the first operand of the instruction is this register.
fn writes(instruction: &Instruction, register: Register) -> bool {
    instruction.op0_kind() == OpKind::Register && instruction.op0_register() == register
}

/// The depth after `sub`, `add` or `and` of `rsp` with a constant.
fn arithmetic(depth: u64, instruction: &Instruction) -> Result<u64, String> {
    let constant = instruction
        .try_immediate(1)
        .map_err(|_| "the stack pointer changes by an unknown amount".to_owned())?;
    Ok(match instruction.mnemonic() {
        Mnemonic::Sub => depth.wrapping_add(constant),
        Mnemonic::Add => depth.wrapping_sub(constant),
        // Rounding down to a multiple of n costs up to n - 1 bytes.
        _ => depth + (constant.wrapping_neg() - 1),
    })
}
