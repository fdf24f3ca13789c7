//! The report for people: one page, nothing loaded from anywhere.
use super::report::{Attempt, Report, Sampled};
use std::fmt::Write as _;

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}\
h1{font-size:1.5em}table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.3em .6em;\
text-align:left;vertical-align:top}th{width:16em;background:#f4f4f4}.passed{color:#075}.failed{color:#b00}\
code{overflow-wrap:anywhere}";

/// The page.
pub fn page(report: &Report, public_key: &str) -> String {
    let (class, verdict) = if report.passed { ("passed", "passed") } else { ("failed", "FAILED") };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Restore drill {}</title>\
         <style>{STYLE}</style></head><body>\n<h1>Restore drill: <span class=\"{class}\">{verdict}</span></h1>\n<table>\n",
        escaped(&report.ended)
    );
    for (name, value) in facts(report) {
        let _ = writeln!(page, "<tr><th>{name}</th><td>{}</td></tr>", escaped(&value));
    }
    page += "</table>\n<h2>Objects</h2>\n<table>\n<tr><th>object</th><th>plain bytes</th><th>result</th></tr>\n";
    for Sampled { bucket, key, bytes, content_not_checked, problem } in &report.sample.objects {
        let name = escaped(&format!("{bucket}/{key}"));
        let result = problem.as_ref().map_or_else(
            || {
                let verified =
                    if *content_not_checked { "content not checked: customer key" } else { "every byte verified" };
                format!("<span class=\"passed\">{verified}</span>")
            },
            |problem| format!("<span class=\"failed\">{}</span>", escaped(problem)),
        );
        let _ = writeln!(page, "<tr><td><code>{name}</code></td><td>{bytes}</td><td>{result}</td></tr>");
    }
    let key = escaped(public_key);
    page += "</table>\n<p>The signed report is the JSON file beside this page; this page itself is not signed. Check it with \
             <code>strongroom drill verify REPORT.json --public-key ";
    let _ = writeln!(page, "{key}</code>.</p>\n</body></html>");
    page
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let list = |items: &[String]| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
    let isolation = &report.isolation;
    let good = report.sample.objects.iter().filter(|object| object.problem.is_none()).count();
    let mut facts = vec![
        ("Began", report.started.clone()),
        ("Ended", report.ended.clone()),
        ("Restored from", format!("{} ({})", isolation.site, isolation.endpoint)),
        ("Sites withheld from the process", list(&isolation.withheld)),
        ("Attempts to reach them", list(&isolation.attempts.iter().map(attempt).collect::<Vec<_>>())),
        ("Connections the process had", list(&isolation.connections)),
        ("Environment variables it had", list(&isolation.environment)),
        ("Root key (escrowed), fingerprint", isolation.root_key.clone()),
        ("Buckets", list(&report.held.buckets)),
        ("Held there", format!("{} objects, {} sealed bytes", report.held.objects, report.held.sealed_bytes)),
        ("Sample", format!("{good} of {} good, seed {}", report.sample.objects.len(), report.sample.seed)),
        ("Restored", format!("{} plain bytes in {} ms", report.sample.plain_bytes, report.sample.milliseconds)),
        ("Recovery point (RPO)", format!("{} s: {}", report.rpo.seconds, report.rpo.basis)),
        ("Recovery time (RTO)", format!("{} s: {}", report.rto.seconds, report.rto.basis)),
        ("Program", format!("strongroom {}", report.program)),
    ];
    if let Some(manifest) = &report.manifest {
        let text = format!(
            "{} objects, {} missing at the backup, {} different",
            manifest.objects, manifest.missing, manifest.different
        );
        facts.push(("Against the primary's listing", text));
    }
    facts
}

fn attempt(attempt: &Attempt) -> String {
    let verdict = if attempt.refused { "refused" } else { "REACHED" };
    format!("{} ({}): {verdict}, {}", attempt.site, attempt.endpoint, attempt.outcome)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_matters_and_names_cannot_break_it() {
        let page = page(&super::super::signature::tests::report(), "00ff");
        for expected in ["FAILED", "127.0.0.1:9020", "1 of 2 good", "docs/a/&lt;b&gt;&amp;.pdf", "00ff", "withheld"] {
            assert!(page.contains(expected), "{expected}");
        }
        assert!(!page.contains("<b>&"));
    }
}
