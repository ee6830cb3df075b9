# A guest for the runner's own tests: it echoes its console input back, in the contract's encoding,
# writes a line to each of its other streams and ends.
#
# Input ends at an unquoted 0x04; 0x16 quotes the next byte. With the argument x=hang it never ends.
    .section .note.pvh, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long start

    .set CONSOLE, 0x3f8
    .set ERRORS, 0x5e0
    .set CONTROL, 0x5e1
    .set PROFILE, 0x5e2

    .code32
    .text
    .globl start
start:
    mov $stack, %esp
    mov %ebx, %ebp                  # hvm_start_info
    mov $out, %esi
    mov $CONSOLE, %edx
    call print
    mov 24(%ebp), %esi              # cmdline_paddr
    call print
    mov $newline, %esi
    call print
    mov $err, %esi
    mov $ERRORS, %edx
    call print
    mov 24(%ebp), %esi              # hang if asked to: x=hang
    call wants_hang
    cmp $0, %eax
    jne hang
    call echo
    mov $profile, %esi              # nobody listens if none was asked for
    mov $PROFILE, %edx
    call print
    mov $end, %esi
    mov $CONTROL, %edx
    call print
    mov $0xf4, %edx
    mov $0, %eax
    out %eax, %dx
hang:
    hlt
    jmp hang

# Prints the string at %esi to port %dx.
print:
    lodsb
    test %al, %al
    jz 1f
    out %al, %dx
    jmp print
1:  ret

# %eax = 1 if the string at %esi contains "=hang".
wants_hang:
    mov $0, %eax
    cmpb $0, (%esi)
    je 1f
    cmpl $0x6e61683d, (%esi)        # "=han"
    je 2f
    inc %esi
    jmp wants_hang
2:  mov $1, %eax
1:  ret

# Copies the console's input to its output until end of file. With lintel.stdin=null there is none.
echo:
    mov 24(%ebp), %esi
1:  cmpb $0, (%esi)
    je 5f
    cmpl $0x7069703d, (%esi)        # "=pip"
    je 2f
    inc %esi
    jmp 1b
2:  call get
    cmp $0x04, %al
    je 5f
    cmp $0x16, %al
    jne 3f
    call get
3:  mov $CONSOLE, %edx
    out %al, %dx
    jmp 2b
5:  ret

# Waits for a byte of input: %al.
get:
    mov $CONSOLE + 5, %edx
1:  in %dx, %al
    test $1, %al
    jz 1b
    mov $CONSOLE, %edx
    in %dx, %al
    ret

    .section .rodata
out:     .asciz "out: "
err:     .asciz "err\n"
newline: .asciz "\n"
profile:
    .ascii "{\"lintel_profile\":1,\"version\":\"0.1.0\",\"tsc_khz\":1000000,\"clock\":\"pit\","
    .ascii "\"platform\":\"qemu\",\"overhead_cycles\":20}\n"
    .asciz "{\"nr\":39,\"na"
end:
    .ascii "a line for people\n"
    .ascii "{\"event\":\"crash\"}\n"
    .ascii "lintel:   rip 0x0000000000100000 rsp 0x0\n"
    .ascii "{\"event\":\"lower\",\"lowered_sites\":14,\"trapped_sites\":1,\"unsafe_sites\":0,"
    .ascii "\"executed_sites\":15,\"lowered_calls\":812,\"trapped_calls\":15}\n"
    .asciz "{\"event\":\"exit\",\"code\":42}\n"
    .bss
    .skip 4096
stack:
