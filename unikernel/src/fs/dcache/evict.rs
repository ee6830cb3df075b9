//! Names that may give way to others: those of generated file systems.

use super::{Dcache, Dentry, DentryId, EVICTABLE, State, some};
use crate::errno::Errno;
use crate::fs::inode::Inode;
use crate::fs::name::{Key, Name};
use crate::fs::rc::Ref;

impl Dcache {
    /// Adds a name of a generated file system, which may give way to others: `inode` is `None` when
    /// there is no such file. `ENOMEM` also when all that are kept are in use.
    pub fn add_evictable(
        &mut self,
        directory: DentryId,
        name: Name,
        inode: Option<Ref<Inode>>,
    ) -> Result<DentryId, Errno> {
        self.reserve()?;
        let key = Key::of(directory.0, name.bytes());
        // What is evicted must not take the directory with it.
        self.get(directory);
        let slot = self.make_room();
        let added = match slot {
            Some(_) => self.dentries.insert(Dentry::new(name, inode)),
            None => Err(Errno::ENOMEM),
        };
        let added = added.map(|number| {
            let (id, slot) = (DentryId(number), slot.unwrap_or_default());
            self.ring[slot] = number;
            self.attach(id, directory, key, State::Evictable(slot as u16));
            id
        });
        self.put(directory);
        added
    }

    /// A slot of the ring, its former dentry evicted; `None` when all are in use.
    fn make_room(&mut self) -> Option<usize> {
        if self.ring.is_empty() {
            self.ring.try_reserve_exact(EVICTABLE).ok()?;
            self.ring.resize(EVICTABLE, super::NONE);
        }
        for _ in 0..EVICTABLE {
            let slot = self.hand;
            self.hand = (self.hand + 1) % EVICTABLE;
            match some(self.ring[slot]) {
                None => return Some(slot),
                Some(id) if self.dentry(id).users == 0 => {
                    self.evicted += 1;
                    self.unlink(id);
                    return Some(slot);
                }
                Some(_) => {}
            }
        }
        None
    }
}
