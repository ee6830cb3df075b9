//! A profile as one page that needs nothing else.

use super::record::{Call, Profile};
use super::table::{share, shown};
use super::units::{bytes, escape, grouped, time};
use super::{svg, table};
use std::fmt::Write;

/// The whole page of the profile (sorted).
pub fn page(profile: &Profile, top: Option<usize>) -> String {
    let title = escape(&format!("Profile of {}", profile.header.program));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<h1>{title}</h1>\n",
        include_str!("page.css")
    );
    if let Some(why) = profile.gap() {
        let _ = writeln!(page, "<p class=\"gap\">Incomplete: {}</p>", escape(why));
    }
    for line in table::heading(profile).lines() {
        let _ = writeln!(page, "<p class=\"dim\">{}</p>", escape(line));
    }
    let calls = shown(profile, top);
    page += &call_table(calls, profile.total_ns());
    page += &cause_table(profile);
    page += "<h2>Distributions</h2>\n<p class=\"dim\">Time of a call on a logarithmic scale, four \
             bars for each power of two, or one where they would be too many; heights are square \
             roots of counts.</p>\n<div class=\"grid\">\n";
    for call in calls {
        let name = escape(&call.title());
        let _ = writeln!(page, "<section id=\"call-{}\">\n<h3>{name}</h3>", call.nr);
        page += &details(call);
        page += &svg::histogram(&call.hist, |cycles| profile.ns(cycles));
        page += "</section>\n";
    }
    page += "</div>\n";
    page + "</body>\n</html>\n"
}

fn call_table(calls: &[Call], total: u64) -> String {
    // As in the table for a terminal, a column without content is left out.
    let blocked = calls.iter().any(|call| call.blocked_ns > 0);
    let moved = calls.iter().any(|call| call.bytes > 0);
    let mut columns = vec![
        "call", "calls", "total", "share", "", "avg", "min", "p50", "p90", "p99", "max",
    ];
    columns.extend(blocked.then_some("blocked"));
    columns.extend(moved.then_some("bytes"));
    let mut text = head("System calls", &columns);
    for call in calls {
        text += &call_row(call, total);
        let sleep = match call.blocked_ns {
            0 => String::new(),
            ns => time(ns),
        };
        let optional = [(blocked, sleep), (moved, bytes(call.bytes))];
        for (_, cell) in optional.iter().filter(|column| column.0) {
            let _ = write!(text, "<td>{cell}</td>");
        }
        text += "</tr>\n";
    }
    text + "</table></div>\n"
}

/// The columns that every call has; the row is left open.
fn call_row(call: &Call, total: u64) -> String {
    let share = share(call.total_ns, total);
    let mut text = format!(
        "<tr><td><a href=\"#call-{}\">{}</a></td><td>{}</td><td>{}</td><td>{:.1} %</td>{}",
        call.nr,
        escape(&call.title()),
        grouped(call.calls),
        time(call.total_ns),
        share * 100.0,
        bar(share)
    );
    let times = [
        call.avg_ns,
        call.min_ns,
        call.p50_ns,
        call.p90_ns,
        call.p99_ns,
        call.max_ns,
    ];
    for ns in times {
        let _ = write!(text, "<td>{}</td>", time(ns));
    }
    text
}

fn cause_table(profile: &Profile) -> String {
    if profile.causes.is_empty() {
        return String::new();
    }
    let mut text = head(
        "Exits and interrupts",
        &["cause", "count", "total", "", "avg", "max"],
    );
    let whole: u64 = profile.causes.iter().map(|cause| cause.total_ns).sum();
    for cause in &profile.causes {
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td>{}<td>{}</td><td>{}</td></tr>",
            escape(&cause.name),
            grouped(cause.count),
            time(cause.total_ns),
            bar(share(cause.total_ns, whole)),
            time(cause.total_ns / cause.count.max(1)),
            time(cause.max_ns)
        );
    }
    text + "</table></div>\n"
}

fn head(title: &str, columns: &[&str]) -> String {
    let cells: String = columns
        .iter()
        .map(|name| format!("<th>{name}</th>"))
        .collect();
    format!("<h2>{title}</h2>\n<div class=\"wide\"><table>\n<tr>{cells}</tr>\n")
}

fn bar(share: f64) -> String {
    let width = share * 9.0;
    format!("<td class=\"bars\"><span class=\"bar\" style=\"width:{width:.2}rem\"></span></td>")
}

fn details(call: &Call) -> String {
    let doors = call.doors;
    let mut text = format!(
        "<p class=\"dim\">{} {}: {} lowered, {} trapped, {} direct",
        grouped(call.calls),
        if call.calls == 1 { "call" } else { "calls" },
        grouped(doors.lowered),
        grouped(doors.trapped),
        grouped(doors.direct)
    );
    if !call.errors.is_empty() {
        let _ = write!(text, "; errors: {}", escape(&call.error_text()));
    }
    text + "</p>\n"
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::SAMPLE;
    use super::*;

    #[test]
    fn the_page_stands_alone_and_is_escaped() {
        let mut profile = Profile::parse(SAMPLE).unwrap();
        profile.sort();
        let page = page(&profile, None);
        for outside in ["http", "src=", "<script", "@import", "url(", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("<title>Profile of a&lt;b</title>") && !page.contains("a<b"));
        assert_eq!(page.matches("<svg").count(), 3);
        assert!(page.contains("errors: EIO 3, EBADF 2") && page.contains("port serial"));
        assert!(!page.contains("Incomplete") && page.contains("1 call: 0 lowered"));
        assert!(page.contains("<th>blocked</th><th>bytes</th>"));
    }

    #[test]
    fn a_column_without_content_is_left_out() {
        let calm = SAMPLE.replace("\"blocked_ns\":5", "\"blocked_ns\":0");
        let page = page(&Profile::parse(&calm).unwrap(), None);
        assert!(!page.contains("<th>blocked</th>") && page.contains("<th>bytes</th>"));
        let table = page.split("</table>").next().unwrap();
        assert_eq!(table.matches("<th>").count(), 12);
        assert_eq!(table.matches("<td").count(), 3 * 12);
    }

    #[test]
    fn a_gap_is_marked() {
        let cut = SAMPLE.rsplit_once("{\"end\"").unwrap().0;
        let page = page(&Profile::parse(cut).unwrap(), Some(1));
        assert!(page.contains("<p class=\"gap\">Incomplete: the file has no last line</p>"));
        assert_eq!(page.matches("<svg").count(), 1);
    }
}
