# The call sites, and a table of them: the form, the number in `eax`, and the address of every
# instruction up to the branch (0: there is none).

.macro row form, number, first, syscall, compare=0, branch=0
    .pushsection .data.rel.ro.contract, "aw", @progbits
    .quad \form, \number, \first, \syscall, \compare, \branch
    .popsection
.endm

# Ends a site: notes which way the code went and leaves every register and flag alone.
.macro leave way
    mov byte ptr [rip + {shared} + {out_branch}], \way
    jmp contract_leave
.endm

# What C libraries have: the number, the instruction, the test for an error.
.macro compared_site form, number, limit, jump, set
.Lset\@:
    \set
.Lsyscall\@:
    syscall
.Lcompare\@:
    cmp rax, \limit
.Lbranch\@:
    \jump .Ltaken\@
    leave 1
.Ltaken\@:
    leave 2
    row \form, \number, .Lset\@, .Lsyscall\@, .Lcompare\@, .Lbranch\@
.endm

# The number, the instruction, and then something else.
.macro bare_site form, number, set
.Lset\@:
    \set
.Lsyscall\@:
    syscall
    leave 1
    row \form, \number, .Lset\@, .Lsyscall\@
.endm

# The number, the instruction, a short jump over something else that may be jumped to.
.macro jumped_site number
.Lset\@:
    mov eax, \number
.Lsyscall\@:
    syscall
.Ljump\@:
    jmp .Lover\@
.Lbehind\@:
    leave 2
.Lover\@:
    leave 1
    row {form_jumped}, \number, .Lset\@, .Lsyscall\@, .Lbehind\@, .Ljump\@
.endm

.pushsection .data.rel.ro.contract, "aw", @progbits
.p2align 3
.globl contract_sites
contract_sites:
.popsection

.text
.irp number, 39, 228, 1, 110, 511, 0, 63, 35, 24
    .p2align 4
    compared_site {form_minus_4095}, \number, -4095, jae, "mov eax, \number"
    .p2align 4
    compared_site {form_minus_4096}, \number, -4096, ja, "mov eax, \number"
    .p2align 4
    bare_site {form_bare}, \number, "mov eax, \number"
    .p2align 4
    bare_site {form_long}, \number, "mov rax, \number"
    .p2align 4
    jumped_site \number
.endr

# `read` is number 0.
    .p2align 4
    compared_site {form_xor_compared}, 0, -4096, ja, "xor eax, eax"
    .p2align 4
    bare_site {form_xor}, 0, "xor eax, eax"

# The number is already in rax, nothing around the instruction is part of a known pattern.
    .p2align 4
    nop
.Lnaked:
    syscall
    leave 1
    row {form_naked}, -1, 0, .Lnaked

# The instruction straddles two pages; the number straddles two cache lines.
    .p2align 12
    .skip 4096 - 6, 0xcc
    compared_site {form_page}, 39, -4096, ja, "mov eax, 39"
    .p2align 6
    .skip 64 - 2, 0xcc
    compared_site {form_line}, 39, -4096, ja, "mov eax, 39"

# The fifth argument before the instruction: its last five bytes read like the number.
.rept 2
    .p2align 4
    bare_site {form_fifth}, 39, "mov r8d, 39"
.endr

# No call at all: time for interrupts to arrive while every register is live.
    .p2align 4
.Lspin:
    mov r11d, 100000
2:  dec r11d
    jnz 2b
    leave 1
    row {form_spin}, -1, .Lspin, 0

.pushsection .data.rel.ro.contract, "aw", @progbits
.globl contract_sites_end
contract_sites_end:
.popsection
