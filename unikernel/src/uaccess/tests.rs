use super::*;

#[test]
fn copies_every_short_length_exactly() {
    let source: Vec<u8> = (0..600).map(|i| i as u8).collect();
    for len in (0..300).chain([511, 600]) {
        let mut out = vec![0xaa; 600];
        let user = UserSlice::new(out.as_mut_ptr() as usize, len);
        assert_eq!(user.write(&source), Ok(len));
        assert_eq!(out[..len], source[..len]);
        assert!(out[len..].iter().all(|&b| b == 0xaa));
    }
}

#[test]
fn every_short_length_is_cleared_exactly() {
    for len in 0..300 {
        let mut out = [0xaau8; 320];
        let user = UserSlice::new(out.as_mut_ptr() as usize, len);
        assert_eq!(user.zero(), Ok(len));
        assert!(out[..len].iter().all(|&b| b == 0) && out[len..].iter().all(|&b| b == 0xaa));
    }
}

#[test]
fn ranges_outside_the_lower_half_are_refused() {
    for (start, len) in [
        (usize::MAX, 1),
        (USER_END, 1),
        (USER_END - 1, 2),
        (1, usize::MAX),
    ] {
        assert_eq!(UserSlice::new(start, len).zero(), Err(Errno::EFAULT));
    }
    assert_eq!(UserPtr::<u64>::new(1 << 63).read(), Err(Errno::EFAULT));
}

#[test]
fn strings_end_at_nul_and_report_overflow() {
    let text = b"/etc/hosts\0rest";
    let mut room = [0; 16];
    let path = UserPtr::new(text.as_ptr() as usize);
    assert_eq!(read_path(path, &mut room), Ok(&b"/etc/hosts"[..]));
    assert_eq!(read_path(path, &mut room[..10]), Err(Errno::ENAMETOOLONG));
}

#[cfg(not(miri))]
mod with_faults;
