//! A histogram as an SVG drawing, to stand inside a page that colours it.

use super::histogram::{self, Bars};
use super::units::{grouped, time};
use std::fmt::Write;

/// The most bars in a drawing.
const BARS: usize = 64;
/// Size of the plot, and the room for the axis below it, in pixels.
const SIZE: (f64, f64, f64) = (640.0, 110.0, 22.0);
/// Labels on the axis, at most.
const LABELS: usize = 7;

/// Draws the counts; `ns` turns cycles into nanoseconds. Heights are square roots, so that rare
/// calls are seen beside frequent ones.
pub fn histogram(hist: &[(u64, u64)], ns: impl Fn(u64) -> u64) -> String {
    let Some(Bars { edges, counts }) = histogram::bars(hist, BARS) else {
        return String::new();
    };
    let (width, height, axis) = SIZE;
    let highest = counts.iter().copied().max().unwrap_or(1).max(1) as f64;
    let step = width / counts.len().max(8) as f64;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"distribution of the time of a \
         call\">\n",
        height + axis
    );
    for (at, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let tall = ((count as f64 / highest).sqrt() * height).max(1.5);
        let _ = writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"><title>{} to {}: {} \
             calls</title></rect>",
            at as f64 * step,
            height - tall,
            step * 0.9,
            time(ns(edges[at])),
            time(ns(edges[at + 1])),
            grouped(count)
        );
    }
    let every = counts.len().div_ceil(LABELS);
    for at in (0..=counts.len()).step_by(every) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\">{}</text>",
            at as f64 * step,
            height + axis - 7.0,
            time(ns(edges[at]))
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bar_for_each_filled_bucket() {
        let svg = histogram(&[(8, 4), (10, 1)], |cycles| cycles * 1000);
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(
            svg.contains("<title>8.00 µs to 10.0 µs: 4 calls</title>"),
            "{svg}"
        );
        assert!(
            svg.contains("height=\"110.0\"") && svg.contains("height=\"55.0\""),
            "{svg}"
        );
        assert_eq!(histogram(&[], |cycles| cycles), "");
    }
}
