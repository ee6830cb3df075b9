use super::caps::FULL;
use super::ids::UNCHANGED;
use super::*;

#[test]
fn the_first_process_is_root() {
    let cred = Cred::root();
    assert_eq!((cred.user(), cred.group()), (Ids::all(0), Ids::all(0)));
    assert!(cred.has(FULL) && cred.has(0));
    assert_eq!(cred.groups(), None);
}

#[test]
fn dropping_root_is_final() {
    let cred = Cred::root();
    assert_eq!(cred.change_user(|ids, may| ids.set(5, may)), Ok(()));
    assert_eq!(cred.user(), Ids::all(5));
    assert_eq!(cred.require(caps::SETUID), Err(Errno::EPERM));
    for id in [0, 6] {
        let refused = cred.change_user(|ids, may| ids.set(id, may));
        assert_eq!(refused, Err(Errno::EPERM));
    }
    assert_eq!(cred.user(), Ids::all(5));
    assert_eq!(cred.caps().permitted, 0);
}

#[test]
fn a_saved_root_comes_back() {
    let cred = Cred::root();
    let away = cred.change_user(|ids, may| ids.set_res(UNCHANGED, 5, UNCHANGED, may));
    assert_eq!((away, cred.fsuid(), cred.caps().effective), (Ok(()), 5, 0));
    assert!(cred.change_group(|ids, may| ids.set(9, may)).is_err());
    let back = cred.change_user(|ids, may| ids.set(0, may));
    assert_eq!((back, cred.fsuid(), cred.caps()), (Ok(()), 0, Caps::ROOT));
}

#[test]
fn capabilities_can_be_kept() {
    let cred = Cred::root();
    cred.set_keep_caps(true);
    assert_eq!(cred.change_user(|ids, may| ids.set(5, may)), Ok(()));
    let kept = cred.caps();
    assert_eq!((kept.effective, kept.permitted), (0, FULL));
    cred.set_caps(kept.set(caps::SETUID, FULL, 0).unwrap());
    assert_eq!(cred.change_user(|ids, may| ids.set(7, may)), Ok(()));
    assert_eq!(cred.uid(), 7);
}

#[test]
fn the_file_system_user_can_differ() {
    let cred = Cred::root();
    assert_eq!((cred.set_fsuid(5), cred.set_fsuid(UNCHANGED)), (0, 5));
    assert!(!cred.has(caps::DAC_OVERRIDE) && cred.has(caps::SETUID));
    assert_eq!((cred.euid(), cred.fsuid()), (0, 5));
    assert_eq!((cred.set_fsuid(0), cred.caps()), (5, Caps::ROOT));
    assert_eq!((cred.set_fsgid(4), cred.set_fsgid(4)), (0, 4));
    assert_eq!((cred.egid(), cred.fsgid()), (0, 4));
}

#[test]
fn groups_are_kept_in_order() {
    let cred = Cred::root();
    cred.set_groups(vec![30, 10, 20, 10]);
    assert_eq!(cred.groups().as_deref(), Some(&[10, 10, 20, 30][..]));
    let inside = [0, 10, 20, 30].map(|gid| cred.in_group(gid));
    assert_eq!(inside, [true; 4]);
    assert!(!cred.in_group(25) && !cred.in_group(31));
    cred.set_groups(vec![]);
    assert!(!cred.in_group(10));
}

#[test]
fn access_looks_with_the_real_ids() {
    let cred = Cred::root();
    cred.set_groups(vec![8]);
    assert!(cred.with_real(|real| core::ptr::eq(real, &raw const cred)));
    let split = cred.change_user(|ids, may| ids.set_res(5, 0, 0, may));
    assert_eq!(split, Ok(()));
    cred.with_real(|real| {
        assert_eq!((real.fsuid(), real.caps().effective), (5, 0));
        assert!(real.in_group(8));
    });
    let back = cred.change_user(|ids, may| ids.set_res(0, 5, 0, may));
    assert_eq!((back, cred.caps().effective), (Ok(()), 0));
    cred.with_real(|real| assert_eq!((real.fsuid(), real.caps()), (0, Caps::ROOT)));
}

#[test]
fn every_test_has_its_own() {
    current().set_groups(vec![1]);
    let other = std::thread::spawn(|| current().groups().is_none());
    assert!(other.join().unwrap());
    assert!(current().groups().is_some());
}
