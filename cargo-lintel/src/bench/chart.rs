//! The ratios of the two lives as a drawing: bars from 1, faster to the left, slower to the right.

use super::report::Report;
use super::table::factor;
use crate::profile::units::escape;
use std::fmt::Write;

/// Pixels: names, plot, figures on the right; height of a row; room above the rows and below.
const NAMES: f64 = 160.0;
const PLOT: f64 = 560.0;
const FIGURES: f64 = 70.0;
const STEP: f64 = 20.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 14.0;
/// Labels of the scale are not closer than this.
const LABEL: f64 = 44.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#222}.t{font-size:15px}\
    .r{text-anchor:end}.m{text-anchor:middle;fill:#666}.f{fill:#2f7d4f}.s{fill:#b5562b}\
    .b{fill:#fff}line{stroke:#8886}.one{stroke:#444}\
    @media(prefers-color-scheme:dark){text{fill:#ddd}.m{fill:#999}.b{fill:#1a1a1a}\
    .f{fill:#5db382}.s{fill:#e08a5f}.one{stroke:#bbb}}";

/// Draws every row that has a ratio. The scale is logarithmic.
pub fn svg(report: &Report) -> String {
    let ratios: Vec<_> = report
        .rows
        .iter()
        .filter_map(|row| Some((row.name.as_str(), row.ratio.as_ref()?.value)))
        .collect();
    let scale = Scale::of(ratios.iter().map(|row| row.1));
    let (width, height) = (
        NAMES + PLOT + FIGURES,
        TOP + STEP * ratios.len() as f64 + BOTTOM,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n\
         <style>{STYLE}</style>\n<rect class=\"b\" width=\"{width}\" height=\"{height}\"/>\n\
         <text class=\"t\" x=\"10\" y=\"22\">Time of a call in the machine ({}), by that of a \
         Linux process</text>\n",
        escape(report.accel)
    );
    for power in scale.low..=scale.high {
        let x = scale.x(f64::from(power).exp2());
        let label = match power {
            _ if power % scale.every() != 0 => String::new(),
            0.. => format!("{}", 1_u64 << power),
            _ => format!("1/{}", 1_u64 << -power),
        };
        let class = if power == 0 { " class=\"one\"" } else { "" };
        let _ = writeln!(
            svg,
            "<line{class} x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{}\"/>\
             <text class=\"m\" x=\"{x:.1}\" y=\"{}\">{label}</text>",
            height - BOTTOM,
            TOP - 8.0
        );
    }
    for (at, (name, ratio)) in ratios.iter().enumerate() {
        svg += &bar(&scale, name, *ratio, TOP + STEP * at as f64);
    }
    svg + "</svg>\n"
}

fn bar(scale: &Scale, name: &str, ratio: f64, y: f64) -> String {
    let (one, end) = (scale.x(1.0), scale.x(ratio));
    format!(
        "<text class=\"r\" x=\"{}\" y=\"{}\">{}</text>\
         <rect class=\"{}\" x=\"{:.1}\" y=\"{}\" width=\"{:.1}\" height=\"{}\"/>\
         <text x=\"{}\" y=\"{}\">{}</text>\n",
        NAMES - 8.0,
        y + 14.0,
        escape(name),
        if ratio <= 1.0 { "f" } else { "s" },
        one.min(end),
        y + 3.0,
        (one - end).abs().max(1.0),
        STEP - 6.0,
        NAMES + PLOT + 10.0,
        y + 14.0,
        factor(ratio)
    )
}

/// A logarithmic axis between two powers of two.
struct Scale {
    low: i32,
    high: i32,
}

impl Scale {
    /// Wide enough for the values and for 1, within reason.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (-1, 1);
        for value in values.filter(|value| *value > 0.0) {
            low = low.min(value.log2().floor() as i32);
            high = high.max(value.log2().ceil() as i32);
        }
        Self {
            low: low.max(-30),
            high: high.min(30),
        }
    }

    /// Every how many powers of two there is a label, that of 1 among them.
    fn every(&self) -> i32 {
        let step = PLOT / f64::from(self.high - self.low);
        (LABEL / step).ceil() as i32
    }

    fn x(&self, value: f64) -> f64 {
        let (low, high) = (f64::from(self.low), f64::from(self.high));
        let power = value.max(f64::MIN_POSITIVE).log2().clamp(low, high);
        NAMES + PLOT * (power - low) / (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn the_scale_is_logarithmic() {
        let scale = Scale::of([0.25, 1.9].into_iter());
        assert_eq!((scale.low, scale.high), (-2, 1));
        assert_eq!(scale.x(0.25), NAMES);
        assert_eq!(scale.x(2.0), NAMES + PLOT);
        assert_eq!(scale.x(0.0), NAMES);
        assert_eq!(scale.every(), 1);
        assert_eq!(Scale { low: -8, high: 6 }.every(), 2);
    }

    #[test]
    fn rows_without_a_ratio_are_left_out() {
        let svg = svg(&sample());
        assert_eq!(svg.matches("<rect class=\"f\"").count(), 1);
        assert!(
            svg.contains(">getpid</text>") && !svg.contains("fork_exit"),
            "{svg}"
        );
        assert!(svg.contains(">0.36</text>"), "{svg}");
    }
}
