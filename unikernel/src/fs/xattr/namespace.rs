//! Who may do what with which attribute: the namespaces of xattr(7), in the order in which Linux
//! asks (fs/xattr.c, security/commoncap.c).

use crate::cred::permission::{Attributes, MAY_READ, MAY_WRITE};
use crate::cred::{Cred, caps};
use crate::errno::Errno;
use linux_raw_sys::general::S_ISVTX;

/// What is about to be done with an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// getxattr(2).
    Get,
    /// setxattr(2), removexattr(2).
    Change,
}

impl Access {
    /// What is said of an attribute that the caller may not know.
    const fn refusal(self) -> Errno {
        match self {
            Self::Get => Errno::ENODATA,
            Self::Change => Errno::EPERM,
        }
    }
}

/// A namespace: the first part of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Namespace {
    User,
    Trusted,
    Security,
    /// `system.*`, of which tmpfs knows nothing but access control lists.
    System,
    /// No namespace at all.
    None,
}

/// The namespace of a name, and what follows it.
fn split(name: &[u8]) -> (Namespace, &[u8]) {
    let rows: [(&[u8], _); 4] = [
        (b"user.", Namespace::User),
        (b"trusted.", Namespace::Trusted),
        (b"security.", Namespace::Security),
        (b"system.", Namespace::System),
    ];
    let found = rows
        .iter()
        .find_map(|row| Some((row.1, name.strip_prefix(row.0)?)));
    found.unwrap_or((Namespace::None, name))
}

/// The file capabilities.
const CAPABILITY: &[u8] = b"security.capability";

/// Whether `name` of `file` may be accessed. Errors: `EPERM`, `EACCES`, and for reading `ENODATA`.
pub fn check(name: &[u8], access: Access, file: Attributes, cred: &Cred) -> Result<(), Errno> {
    match split(name).0 {
        Namespace::User => check_user(access, file, cred),
        Namespace::Trusted if cred.has(caps::SYS_ADMIN) => Ok(()),
        Namespace::Trusted => Err(access.refusal()),
        Namespace::Security if access == Access::Change => cred.require(if name == CAPABILITY {
            caps::SETFCAP
        } else {
            caps::SYS_ADMIN
        }),
        Namespace::Security | Namespace::System => Ok(()),
        Namespace::None => check_mode(access, file, cred),
    }
}

/// `user.*`: regular files and directories, by their mode; in a sticky directory only the owner
/// changes them.
fn check_user(access: Access, file: Attributes, cred: &Cred) -> Result<(), Errno> {
    if !file.is_file() && !file.is_dir() {
        return Err(access.refusal());
    }
    if file.is_dir() && file.mode & S_ISVTX != 0 && access == Access::Change {
        file.check_owner(cred)?;
    }
    check_mode(access, file, cred)
}

fn check_mode(access: Access, file: Attributes, cred: &Cred) -> Result<(), Errno> {
    let mask = match access {
        Access::Get => MAY_READ,
        Access::Change => MAY_WRITE,
    };
    file.check(mask, cred)
}

/// Whether files in memory have such attributes. Errors: `EOPNOTSUPP`, `EINVAL` (nothing behind the
/// namespace).
pub fn check_support(name: &[u8]) -> Result<(), Errno> {
    match split(name) {
        (Namespace::System | Namespace::None, _) => Err(Errno::EOPNOTSUPP),
        (_, []) => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

/// Whether `value` can be the one of `name`: file capabilities have a form (`struct vfs_cap_data` of
/// linux/capability.h, versions 2 and 3), though nothing is ever executed that has them. Errors:
/// `EINVAL`.
pub fn check_value(name: &[u8], value: &[u8]) -> Result<(), Errno> {
    const EFFECTIVE: u32 = 1;
    if name != CAPABILITY || value.is_empty() {
        return Ok(());
    }
    let magic = value.first_chunk().map(|&first| u32::from_le_bytes(first));
    match (magic.map(|magic| magic & !EFFECTIVE), value.len()) {
        (Some(0x0200_0000), 20) | (Some(0x0300_0000), 24) => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// Whether listxattr(2) names it to `cred`.
pub fn is_listed(name: &[u8], cred: &Cred) -> bool {
    split(name).0 != Namespace::Trusted || cred.has(caps::SYS_ADMIN)
}

#[cfg(test)]
mod tests {
    use super::Access::{Change, Get};
    use super::*;
    use linux_raw_sys::general::{S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG};

    fn ordinary() -> Cred {
        let cred = Cred::root();
        assert_eq!(cred.change_user(|ids, may| ids.set(10, may)), Ok(()));
        cred
    }

    fn file(mode: u32, uid: u32) -> Attributes {
        let gid = 99;
        Attributes { mode, uid, gid }
    }

    #[test]
    fn user_attributes_follow_the_mode() {
        let cred = ordinary();
        let user = |access, mode, uid| check(b"user.x", access, file(mode, uid), &cred);
        assert_eq!(user(Get, S_IFREG | 0o444, 1), Ok(()));
        assert_eq!(user(Change, S_IFREG | 0o444, 1), Err(Errno::EACCES));
        assert_eq!(user(Change, S_IFREG | 0o200, 10), Ok(()));
        assert_eq!(user(Get, S_IFREG | 0o200, 10), Err(Errno::EACCES));
        assert_eq!(user(Change, S_IFDIR | 0o777, 1), Ok(()));
        assert_eq!(user(Change, S_IFDIR | 0o1777, 1), Err(Errno::EPERM));
        assert_eq!(user(Change, S_IFDIR | 0o1777, 10), Ok(()));
        assert_eq!(user(Get, S_IFDIR | 0o1777, 1), Ok(()));
        let root = Cred::root();
        for kind in [S_IFLNK, S_IFIFO] {
            let other = file(kind | 0o777, 0);
            assert_eq!(check(b"user.x", Change, other, &root), Err(Errno::EPERM));
            assert_eq!(check(b"user.x", Get, other, &root), Err(Errno::ENODATA));
        }
        let sticky = file(S_IFDIR | 0o1777, 10);
        assert_eq!(check(b"user.x", Change, sticky, &root), Ok(()));
    }

    #[test]
    fn trusted_and_security_need_privilege() {
        let (cred, root) = (ordinary(), Cred::root());
        let any = file(S_IFLNK | 0o777, 10);
        let rows: [(&[u8], _, _); 5] = [
            (b"trusted.x", Get, Errno::ENODATA),
            (b"trusted.x", Change, Errno::EPERM),
            (b"security.x", Change, Errno::EPERM),
            (CAPABILITY, Change, Errno::EPERM),
            (b"plain", Change, Errno::EACCES),
        ];
        for (name, access, refusal) in rows {
            let file = if name == b"plain" {
                file(S_IFREG, 0)
            } else {
                any
            };
            assert_eq!(check(name, access, file, &cred), Err(refusal));
            assert_eq!(check(name, access, file, &root), Ok(()));
        }
        assert_eq!(check(b"security.x", Get, any, &cred), Ok(()));
        assert_eq!(check(b"system.x", Change, any, &cred), Ok(()));
        assert!(is_listed(b"trusted.x", &root) && !is_listed(b"trusted.x", &cred));
        assert!(is_listed(b"security.x", &cred) && is_listed(b"user.x", &cred));
    }

    #[test]
    fn three_namespaces_are_supported() {
        let rows: [(&[u8], _); 9] = [
            (b"user.x", Ok(())),
            (b"trusted.x", Ok(())),
            (b"security.x", Ok(())),
            (b"user.", Err(Errno::EINVAL)),
            (b"security.", Err(Errno::EINVAL)),
            (b"user", Err(Errno::EOPNOTSUPP)),
            (b"other.x", Err(Errno::EOPNOTSUPP)),
            (b"system.posix_acl_access", Err(Errno::EOPNOTSUPP)),
            (b"system.", Err(Errno::EOPNOTSUPP)),
        ];
        for (name, wanted) in rows {
            assert_eq!(check_support(name), wanted, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn file_capabilities_have_a_form() {
        let mut value = [0u8; 24];
        value[3] = 3;
        assert_eq!(check_value(CAPABILITY, &value), Ok(()));
        value[3] = 2;
        assert_eq!(check_value(CAPABILITY, &value), Err(Errno::EINVAL));
        value[0] = 1;
        assert_eq!(check_value(CAPABILITY, &value[..20]), Ok(()));
        value[0] = 2;
        assert_eq!(check_value(CAPABILITY, &value[..20]), Err(Errno::EINVAL));
        assert_eq!(check_value(CAPABILITY, &value[..3]), Err(Errno::EINVAL));
        assert_eq!(check_value(b"security.x", b"any"), Ok(()));
    }
}
