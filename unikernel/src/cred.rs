//! Who the process is: credentials(7) and capabilities(7).
//!
//! [`Cred`] has four ids of each kind, supplementary groups and capability sets; [`ids`] has the
//! rules by which the ids change, [`caps`] what that does to the capabilities, and [`permission`]
//! what a file system asks before it does something.
//!
//! A permission check starts with one load, of the effective capabilities: root passes there.
//! Linux keeps credentials for each thread, and the C library makes them the process's; here they
//! are the process's.

pub mod caps;
pub mod ids;
pub mod permission;

use crate::errno::Errno;
use crate::sync::Exclusive;
use alloc::sync::Arc;
use caps::{Caps, Set};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use ids::Ids;

/// Credentials.
///
/// Every field is an atomic word, so that a reader takes no lock. A change is several stores, and
/// nothing that reads runs between them: system calls are not preempted.
pub struct Cred {
    user: AtomicIds,
    group: AtomicIds,
    effective: AtomicU64,
    permitted: AtomicU64,
    inheritable: AtomicU64,
    bounding: AtomicU64,
    ambient: AtomicU64,
    keep_caps: AtomicBool,
    /// Supplementary groups in ascending order; `None` when there are none.
    groups: Exclusive<Option<Arc<[u32]>>>,
}

struct AtomicIds {
    real: AtomicU32,
    effective: AtomicU32,
    saved: AtomicU32,
    fs: AtomicU32,
}

impl AtomicIds {
    const fn new(ids: Ids) -> Self {
        Self {
            real: AtomicU32::new(ids.real),
            effective: AtomicU32::new(ids.effective),
            saved: AtomicU32::new(ids.saved),
            fs: AtomicU32::new(ids.fs),
        }
    }

    fn load(&self) -> Ids {
        Ids {
            real: self.real.load(Relaxed),
            effective: self.effective.load(Relaxed),
            saved: self.saved.load(Relaxed),
            fs: self.fs.load(Relaxed),
        }
    }

    fn store(&self, ids: Ids) {
        self.real.store(ids.real, Relaxed);
        self.effective.store(ids.effective, Relaxed);
        self.saved.store(ids.saved, Relaxed);
        self.fs.store(ids.fs, Relaxed);
    }
}

#[cfg(not(test))]
static CURRENT: Cred = Cred::root();

/// The caller's credentials.
#[cfg(not(test))]
#[inline(always)]
pub fn current() -> &'static Cred {
    &CURRENT
}

/// The caller's credentials: each test, being a thread, has its own.
#[cfg(test)]
pub fn current() -> &'static Cred {
    std::thread_local! {
        static CURRENT: &'static Cred = std::boxed::Box::leak(std::boxed::Box::new(Cred::root()));
    }
    CURRENT.with(|cred| *cred)
}

impl Cred {
    /// Root with every capability and no supplementary group: the first process.
    pub const fn root() -> Self {
        Self::new(Ids::all(0), Ids::all(0), Caps::ROOT)
    }

    const fn new(user: Ids, group: Ids, caps: Caps) -> Self {
        Self {
            user: AtomicIds::new(user),
            group: AtomicIds::new(group),
            effective: AtomicU64::new(caps.effective),
            permitted: AtomicU64::new(caps.permitted),
            inheritable: AtomicU64::new(caps.inheritable),
            bounding: AtomicU64::new(caps.bounding),
            ambient: AtomicU64::new(caps.ambient),
            keep_caps: AtomicBool::new(false),
            groups: Exclusive::new(None),
        }
    }

    /// Whether all capabilities of `wanted` are effective.
    #[inline(always)]
    pub fn has(&self, wanted: Set) -> bool {
        self.effective.load(Relaxed) & wanted == wanted
    }

    /// `EPERM` unless all capabilities of `wanted` are effective.
    pub fn require(&self, wanted: Set) -> Result<(), Errno> {
        if self.has(wanted) {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    /// Real user id.
    #[inline(always)]
    pub fn uid(&self) -> u32 {
        self.user.real.load(Relaxed)
    }

    /// Effective user id.
    #[inline(always)]
    pub fn euid(&self) -> u32 {
        self.user.effective.load(Relaxed)
    }

    /// Real group id.
    #[inline(always)]
    pub fn gid(&self) -> u32 {
        self.group.real.load(Relaxed)
    }

    /// Effective group id.
    #[inline(always)]
    pub fn egid(&self) -> u32 {
        self.group.effective.load(Relaxed)
    }

    /// The user id that file systems look at, and that owns what is created.
    #[inline(always)]
    pub fn fsuid(&self) -> u32 {
        self.user.fs.load(Relaxed)
    }

    /// The group id that file systems look at, and that owns what is created.
    #[inline(always)]
    pub fn fsgid(&self) -> u32 {
        self.group.fs.load(Relaxed)
    }

    /// All user ids.
    pub fn user(&self) -> Ids {
        self.user.load()
    }

    /// All group ids.
    pub fn group(&self) -> Ids {
        self.group.load()
    }

    /// The capability sets.
    pub fn caps(&self) -> Caps {
        Caps {
            effective: self.effective.load(Relaxed),
            permitted: self.permitted.load(Relaxed),
            inheritable: self.inheritable.load(Relaxed),
            bounding: self.bounding.load(Relaxed),
            ambient: self.ambient.load(Relaxed),
        }
    }

    /// Replaces the capability sets; whether that is allowed is the caller's business ([`Caps`]).
    pub fn set_caps(&self, caps: Caps) {
        self.effective.store(caps.effective, Relaxed);
        self.permitted.store(caps.permitted, Relaxed);
        self.inheritable.store(caps.inheritable, Relaxed);
        self.bounding.store(caps.bounding, Relaxed);
        self.ambient.store(caps.ambient, Relaxed);
    }

    /// Whether the permitted set survives when no user id is root any more (`PR_SET_KEEPCAPS`).
    pub fn keeps_caps(&self) -> bool {
        self.keep_caps.load(Relaxed)
    }

    /// `PR_SET_KEEPCAPS`.
    pub fn set_keep_caps(&self, keep: bool) {
        self.keep_caps.store(keep, Relaxed);
    }

    /// Changes the user ids by a rule of [`Ids`], which is told whether the caller is privileged;
    /// the capabilities follow.
    pub fn change_user(
        &self,
        rule: impl FnOnce(Ids, bool) -> Result<Ids, Errno>,
    ) -> Result<(), Errno> {
        let old = self.user();
        let new = rule(old, self.has(caps::SETUID))?;
        self.set_caps(self.caps().after_setuid(old, new, self.keeps_caps()));
        self.user.store(new);
        Ok(())
    }

    /// Changes the group ids by a rule of [`Ids`].
    pub fn change_group(
        &self,
        rule: impl FnOnce(Ids, bool) -> Result<Ids, Errno>,
    ) -> Result<(), Errno> {
        self.group
            .store(rule(self.group(), self.has(caps::SETGID))?);
        Ok(())
    }

    /// setfsuid(2): the previous id, whether it changed or not.
    pub fn set_fsuid(&self, id: u32) -> u32 {
        let old = self.user();
        let new = old.set_fs(id, self.has(caps::SETUID));
        self.set_caps(self.caps().after_setfsuid(old.fs, new.fs));
        self.user.store(new);
        old.fs
    }

    /// setfsgid(2): the previous id, whether it changed or not.
    pub fn set_fsgid(&self, id: u32) -> u32 {
        let old = self.group();
        self.group.store(old.set_fs(id, self.has(caps::SETGID)));
        old.fs
    }

    /// The supplementary groups in ascending order.
    pub fn groups(&self) -> Option<Arc<[u32]>> {
        self.groups.lock().clone()
    }

    /// Replaces the supplementary groups, in any order. The privilege is the caller's business.
    pub fn set_groups(&self, groups: alloc::vec::Vec<u32>) {
        // In place, and a tenth of the code of a sort that is faster.
        let groups = alloc::collections::BinaryHeap::from(groups).into_sorted_vec();
        let groups = (!groups.is_empty()).then(|| Arc::from(groups));
        let old = core::mem::replace(&mut *self.groups.lock(), groups);
        drop(old);
    }

    /// Whether `gid` is the file system group or a supplementary one.
    pub fn in_group(&self, gid: u32) -> bool {
        gid == self.fsgid()
            || self
                .groups
                .lock()
                .as_ref()
                .is_some_and(|groups| groups.binary_search(&gid).is_ok())
    }

    /// Runs `check` with the credentials that access(2) looks with: the *real* ids, and the
    /// capabilities that the real user would have (`access_override_creds` of fs/open.c).
    pub fn with_real<R>(&self, check: impl FnOnce(&Self) -> R) -> R {
        let (mut user, mut group, mut caps) = (self.user(), self.group(), self.caps());
        let effective = if user.real == 0 { caps.permitted } else { 0 };
        if (user.real, group.real, effective) == (user.fs, group.fs, caps.effective) {
            return check(self);
        }
        user.fs = user.real;
        group.fs = group.real;
        caps.effective = effective;
        let real = Self::new(user, group, caps);
        *real.groups.lock() = self.groups();
        check(&real)
    }
}

#[cfg(test)]
mod tests;
