# contract_run(): loads SHARED.input, jumps to SHARED.target; the code there ends with a jump to
# contract_leave, which stores SHARED.output and returns to the caller of contract_run.

.macro move_gprs op
    \op rax, 0
    \op rbx, 1
    \op rcx, 2
    \op rdx, 3
    \op rsi, 4
    \op rbp, 6
    \op r8, 7
    \op r9, 8
    \op r10, 9
    \op r11, 10
    \op r12, 11
    \op r13, 12
    \op r14, 13
    \op r15, 14
    \op rdi, 5
.endm

.macro load_gpr reg, index
    mov \reg, [rdi + {in_gpr} + 8 * \index]
.endm

.macro store_gpr reg, index
    mov [rip + {shared} + {out_gpr} + 8 * \index], \reg
.endm

.text
.globl contract_run
.type contract_run, @function
contract_run:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    lea rdi, [rip + {shared}]
    mov [rdi + {saved_rsp}], rsp
    mov eax, [rdi + {xmask}]
    mov edx, 0
    cmp dword ptr [rdi + {use_xsave}], 0
    je 2f
    xsave64 [rdi + {saved}]
    xrstor64 [rdi + {in_xstate}]
    jmp 3f
2:  fxsave64 [rdi + {saved}]
    fxrstor64 [rdi + {in_xstate}]
3:  mov rsp, [rdi + {in_rsp}]
    push qword ptr [rdi + {in_flags}]
    popfq
    # From here to the target only instructions that leave the flags alone.
    .irp offset, 0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120
    mov rax, [rdi + {in_below} + \offset]
    mov [rsp - 128 + \offset], rax
    mov rax, [rdi + {in_above} + \offset]
    mov [rsp + \offset], rax
    .endr
    move_gprs load_gpr
    jmp qword ptr [rip + {shared} + {target}]
.size contract_run, . - contract_run

.globl contract_leave
.type contract_leave, @function
contract_leave:
    move_gprs store_gpr
    lea rdi, [rip + {shared}]
    mov [rdi + {out_rsp}], rsp
    .irp offset, 0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120
    mov rax, [rsp - 128 + \offset]
    mov [rdi + {out_below} + \offset], rax
    mov rax, [rsp + \offset]
    mov [rdi + {out_above} + \offset], rax
    .endr
    # The stack is stored: now it may be used.
    pushfq
    pop qword ptr [rdi + {out_flags}]
    cld
    mov eax, [rdi + {xmask}]
    mov edx, 0
    cmp dword ptr [rdi + {use_xsave}], 0
    je 2f
    xsave64 [rdi + {out_xstate}]
    xrstor64 [rdi + {saved}]
    jmp 3f
2:  fxsave64 [rdi + {out_xstate}]
    fxrstor64 [rdi + {saved}]
3:  mov rsp, [rdi + {saved_rsp}]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
.size contract_leave, . - contract_leave
