//! Structures that grow from one version of Linux to the next.

use super::UserSlice;
use crate::errno::Errno;

impl UserSlice {
    /// Copies a structure to `known`, which is zeros, and as long as what is known of it
    /// (`copy_struct_from_user` of Linux): of an older one the rest stays zeros, in a newer one what is
    /// not known must be zero. Errors: `E2BIG`, `EFAULT`.
    pub fn read_versioned(self, known: &mut [u8]) -> Result<(), Errno> {
        let mut rest = self.skip(known.len());
        while !rest.is_empty() {
            let mut bytes = [0; 64];
            let part = rest.take(bytes.len());
            if part.read(&mut bytes)? != part.len() {
                return Err(Errno::EFAULT);
            }
            if bytes.iter().any(|&byte| byte != 0) {
                return Err(Errno::E2BIG);
            }
            rest = rest.skip(part.len());
        }
        let head = self.take(known.len());
        if head.read(&mut known[..head.len()])? != head.len() {
            return Err(Errno::EFAULT);
        }
        Ok(())
    }
}
