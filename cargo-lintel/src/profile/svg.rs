//! A histogram as an SVG drawing, to stand inside a page that colours it.

use super::histogram::{self, Bars};
use super::units::{grouped, time};
use std::fmt::Write;

/// The most bars in a drawing.
const BARS: usize = 64;
/// Size of the plot, and the room for the axis below it, in pixels.
const SIZE: (f64, f64, f64) = (440.0, 110.0, 22.0);
/// Room for at least so many bars: a single one does not fill the plot.
const ROOM: usize = 20;
/// Pixels that a label on the axis needs, with the gap to the next one.
const LABEL: f64 = 58.0;

/// Draws the counts; `ns` turns cycles into nanoseconds. Heights are square roots, so that rare
/// calls are seen beside frequent ones.
pub fn histogram(hist: &[(u64, u64)], ns: impl Fn(u64) -> u64) -> String {
    let Some(Bars { edges, counts }) = histogram::bars(hist, BARS) else {
        return String::new();
    };
    let (width, height, axis) = SIZE;
    let highest = counts.iter().copied().max().unwrap_or(1).max(1) as f64;
    let step = width / counts.len().max(ROOM) as f64;
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
    let every = (LABEL / step).ceil() as usize;
    let fits = |at: &usize| *at as f64 * step + LABEL <= width;
    for at in (0..=counts.len()).step_by(every.max(1)).filter(fits) {
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

    #[test]
    fn labels_neither_overlap_nor_leave_the_drawing() {
        for last in [8, 9, 11, 20, 27, 28, 29, 40, 71, 72, 200] {
            let svg = histogram(&[(8, 1), (last, 1)], |cycles| cycles);
            let places: Vec<f64> = svg
                .split("<text x=\"")
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
                .collect();
            assert_eq!(places[0], 0.0);
            assert!(
                places
                    .windows(2)
                    .all(|pair| pair[1] - pair[0] >= LABEL - 0.1)
            );
            assert!(
                places[places.len() - 1] + LABEL <= SIZE.0 + 0.1,
                "{places:?}"
            );
        }
    }
}
