//! One call at every bad address.

use crate::places::{Place, Places};
use test_support::{Outcome, report};

/// Makes a call once for every bad address and reports each. `keep` bytes of the straddling
/// buffer are good.
pub fn each(places: &Places, what: &str, keep: u64, call: impl Fn(u64) -> Outcome) {
    each_of(places, &places.bad(keep), what, call);
}

/// The same but for null, which means something else to this call.
pub fn each_but_null(places: &Places, what: &str, keep: u64, call: impl Fn(u64) -> Outcome) {
    each_of(places, &places.bad(keep)[1..], what, call);
}

fn each_of(places: &Places, bad: &[Place], what: &str, call: impl Fn(u64) -> Outcome) {
    for place in bad {
        places.end(0);
        report(format_args!("{what} {}", place.name), call(place.address));
    }
}
