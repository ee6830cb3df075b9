use super::super::ids::Ids;
use super::*;
use crate::cred::caps::{Caps, Set};
use linux_raw_sys::general::S_IFIFO;

/// User 10 of group 20 and of the supplementary group 21, with `effective` capabilities.
fn user(effective: Set) -> Cred {
    let cred = Cred::new(
        Ids::all(10),
        Ids::all(20),
        Caps {
            effective,
            ..Caps::ROOT
        },
    );
    cred.set_groups(vec![21]);
    cred
}

fn file(bits: u32, uid: u32, gid: u32) -> Attributes {
    Attributes {
        mode: S_IFREG | bits,
        uid,
        gid,
    }
}

fn dir(bits: u32, uid: u32, gid: u32) -> Attributes {
    Attributes {
        mode: S_IFDIR | bits,
        uid,
        gid,
    }
}

/// What may be done, as octal digit.
fn allowed(attributes: Attributes, cred: &Cred) -> u32 {
    let bits = [MAY_EXEC, MAY_WRITE, MAY_READ];
    let single = bits
        .iter()
        .filter(|&&bit| attributes.check(bit, cred).is_ok());
    let sum = single.sum();
    assert_eq!(attributes.check(sum, cred), Ok(()), "one by one, so all");
    assert_eq!(attributes.check(0, cred), Ok(()));
    sum
}

#[test]
fn one_class_counts_even_if_it_has_less() {
    let cred = user(0);
    for mode in 0..0o1000 {
        assert_eq!(allowed(file(mode, 10, 99), &cred), mode >> 6);
        assert_eq!(allowed(file(mode, 11, 20), &cred), mode >> 3 & 7);
        assert_eq!(allowed(dir(mode, 11, 21), &cred), mode >> 3 & 7);
        assert_eq!(allowed(dir(mode, 11, 22), &cred), mode & 7);
    }
}

#[test]
fn root_needs_one_execute_bit() {
    let root = Cred::root();
    assert_eq!(allowed(file(0, 10, 20), &root), 6);
    for bit in [0o100, 0o010, 0o001] {
        assert_eq!(allowed(file(bit, 10, 20), &root), 7);
    }
    assert_eq!(allowed(dir(0, 10, 20), &root), 7);
    let both = MAY_READ | MAY_EXEC;
    assert_eq!(file(0o666, 0, 0).check(both, &root), Err(Errno::EACCES));
}

#[test]
fn searching_is_a_capability_of_its_own() {
    let cred = user(caps::DAC_READ_SEARCH);
    assert_eq!(allowed(file(0, 0, 0), &cred), MAY_READ);
    assert_eq!(allowed(dir(0, 0, 0), &cred), MAY_READ | MAY_EXEC);
    let both = MAY_READ | MAY_WRITE;
    assert_eq!(file(0o002, 0, 0).check(both, &cred), Err(Errno::EACCES));
}

#[test]
fn sticky_directories_protect_what_is_others() {
    let (cred, owner_of_all) = (user(0), user(caps::FOWNER));
    assert_eq!(may_remove(dir(0o777, 1, 1), 2, &cred), Ok(()));
    assert_eq!(may_remove(dir(0o1777, 1, 1), 2, &cred), Err(Errno::EPERM));
    assert_eq!(may_remove(dir(0o1777, 1, 1), 10, &cred), Ok(()));
    assert_eq!(may_remove(dir(0o1777, 10, 1), 2, &cred), Ok(()));
    assert_eq!(may_remove(dir(0o1777, 1, 1), 2, &owner_of_all), Ok(()));
    for bits in [0o1775, 0o1776] {
        let refused = may_remove(dir(bits, 1, 1), 10, &cred);
        assert_eq!(refused, Err(Errno::EACCES));
    }
}

#[test]
fn only_what_is_harmless_is_linked_by_others() {
    let cred = user(0);
    for (bits, allowed) in [
        (0o666, true),
        (0o664, false),
        (0o662, false),
        (0o4666, false),
        (0o2676, false),
        (0o2666, true),
    ] {
        let wanted = if allowed { Ok(()) } else { Err(Errno::EPERM) };
        assert_eq!(may_link(file(bits, 1, 1), &cred), wanted, "{bits:o}");
        assert_eq!(may_link(file(bits, 10, 1), &cred), Ok(()));
        assert_eq!(may_link(file(bits, 1, 1), &Cred::root()), Ok(()));
    }
    let pipe = Attributes {
        mode: S_IFIFO | 0o666,
        uid: 1,
        gid: 1,
    };
    assert_eq!(may_link(pipe, &cred), Err(Errno::EPERM));
}

#[test]
fn modes_are_the_owners() {
    let cred = user(0);
    assert_eq!(chmod(file(0, 10, 20), 0o7777, &cred), Ok(S_IFREG | 0o7777));
    assert_eq!(chmod(file(0, 10, 21), 0o2755, &cred), Ok(S_IFREG | 0o2755));
    // A group one does not belong to cannot be given away.
    assert_eq!(chmod(file(0, 10, 22), 0o6755, &cred), Ok(S_IFREG | 0o4755));
    assert_eq!(chmod(file(0, 11, 20), 0o644, &cred), Err(Errno::EPERM));
    let (fowner, both) = (user(caps::FOWNER), user(caps::FOWNER | caps::FSETID));
    assert_eq!(chmod(file(0, 11, 22), 0o2755, &fowner), Ok(S_IFREG | 0o755));
    assert_eq!(chmod(dir(0, 11, 22), 0o2755, &both), Ok(S_IFDIR | 0o2755));
    // Bits that are no permissions change nothing.
    assert_eq!(chmod(file(0, 10, 20), S_IFDIR, &cred), Ok(S_IFREG));
}

#[test]
fn owners_give_only_to_their_groups() {
    let cred = user(0);
    let mine = file(0o644, 10, 20);
    let given = |uid, gid| chown(mine, uid, gid, &cred).map(|new| (new.uid, new.gid));
    assert_eq!(given(None, Some(21)), Ok((10, 21)));
    assert_eq!(given(Some(10), Some(20)), Ok((10, 20)));
    assert_eq!(given(None, Some(22)), Err(Errno::EPERM));
    assert_eq!(given(Some(11), None), Err(Errno::EPERM));
    let others = file(0o644, 11, 20);
    assert_eq!(chown(others, Some(11), None, &cred), Err(Errno::EPERM));
    assert_eq!(chown(others, None, Some(20), &cred), Err(Errno::EPERM));
    assert_eq!(chown(others, None, None, &cred), Ok(others));
    let root = Cred::root();
    assert_eq!(
        chown(others, Some(7), Some(8), &root),
        Ok(file(0o644, 7, 8))
    );
}

#[test]
fn new_owners_get_no_set_id_bits() {
    let root = Cred::root();
    let mode = |old, cred: &Cred| chown(old, None, None, cred).unwrap().mode & 0o7777;
    assert_eq!(mode(file(0o7755, 1, 1), &root), 0o1755);
    // Without group execution the bit has another meaning.
    assert_eq!(mode(file(0o6745, 1, 1), &root), 0o2745);
    assert_eq!(mode(file(0o6745, 10, 22), &user(0)), 0o745);
    assert_eq!(mode(file(0o6745, 10, 21), &user(0)), 0o2745);
    assert_eq!(mode(dir(0o6755, 1, 1), &root), 0o6755);
    // A new group of others takes it away as chmod would.
    let chowner = user(caps::CHOWN);
    let new = chown(file(0o6745, 10, 21), None, Some(22), &chowner).unwrap();
    assert_eq!(new.mode & 0o7777, 0o745);
    assert_eq!(
        chown(file(0o4755, 1, 1), None, None, &chowner),
        Err(Errno::EPERM)
    );
}

#[test]
fn writing_takes_set_id_bits_from_others() {
    let after = |old, cred: &Cred| mode_after_write(old, cred) & 0o7777;
    assert_eq!(after(file(0o6755, 1, 1), &Cred::root()), 0o6755);
    assert_eq!(after(file(0o6755, 10, 20), &user(0)), 0o755);
    assert_eq!(after(file(0o2745, 10, 20), &user(0)), 0o2745);
    assert_eq!(after(file(0o2745, 10, 22), &user(0)), 0o745);
    assert_eq!(after(file(0o755, 10, 20), &user(0)), 0o755);
    let pipe = Attributes {
        mode: S_IFIFO | 0o6755,
        uid: 10,
        gid: 20,
    };
    assert_eq!(after(pipe, &user(0)), 0o6755);
}

#[test]
fn groups_are_inherited_from_set_group_id_directories() {
    let cred = user(0);
    let plain = dir(0o755, 1, 22);
    let giving = dir(0o2755, 1, 22);
    assert_eq!(create(plain, S_IFREG | 0o644, &cred), file(0o644, 10, 20));
    assert_eq!(create(giving, S_IFREG | 0o644, &cred), file(0o644, 10, 22));
    assert_eq!(create(giving, S_IFDIR | 0o755, &cred), dir(0o2755, 10, 22));
    assert_eq!(create(giving, S_IFREG | 0o2755, &cred), file(0o755, 10, 22));
    assert_eq!(
        create(giving, S_IFREG | 0o2745, &cred),
        file(0o2745, 10, 22)
    );
    let own = dir(0o2755, 1, 21);
    assert_eq!(create(own, S_IFREG | 0o2755, &cred), file(0o2755, 10, 21));
}

#[test]
fn the_present_may_be_set_by_writers() {
    let cred = user(0);
    let writable = file(0o666, 11, 11);
    assert_eq!(may_set_times(writable, true, &cred), Ok(()));
    assert_eq!(may_set_times(writable, false, &cred), Err(Errno::EPERM));
    let closed = file(0o600, 11, 11);
    assert_eq!(may_set_times(closed, true, &cred), Err(Errno::EACCES));
    assert_eq!(may_set_times(file(0, 10, 11), false, &cred), Ok(()));
    assert_eq!(may_set_times(closed, false, &user(caps::FOWNER)), Ok(()));
}
