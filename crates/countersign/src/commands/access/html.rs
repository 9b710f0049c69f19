//! A review as one page without script, links or anything from elsewhere. Every text is escaped, and characters that cannot be seen are shown.

use std::fmt::Write as _;

use countersign_api::PersonRef;
use countersign_api::review::AccessReview;
use countersign_ledger::display::visible;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem;color:#1b1b1f;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #d9d9e0}th{border-bottom:2px solid #777}\
td.n{text-align:right;font-variant-numeric:tabular-nums}code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}.never{color:#9a3412}\
@media(prefers-color-scheme:dark){body{color:#e6e6ea;background:#17171a}th,td{border-color:#3a3a42}.never{color:#fdba74}}\
@media print{body{margin:0;max-width:none;color:#000;background:#fff}thead{display:table-header-group}tr{break-inside:avoid}}";

/// The whole page.
pub(super) fn written(review: &AccessReview) -> String {
    let mut page = Page::default();
    page.head(review);
    page.stale(review);
    page.rights(review);
    page.people(review);
    page.tokens(review);
    page.grants(review);
    page.0 + "</main>\n</body>\n</html>\n"
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in visible(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A person by name, with the id that nobody else has.
fn person(person: &PersonRef) -> String {
    let id = format!("<code>{}</code>", escaped(&person.id));
    person.name.as_ref().map_or(id.clone(), |name| format!("{} {id}", escaped(name)))
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn put(&mut self, html: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(html);
    }

    fn head(&mut self, review: &AccessReview) {
        let AccessReview { log, policy, days, from, until, environment, .. } = review;
        self.put(format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>Access review of {origin}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Access review of {origin}</h1>\n",
            origin = escaped(&log.origin)
        ));
        let place = environment.as_deref().unwrap_or("all environments");
        let facts = [
            ("log", format!("{} entries, root <code>{}</code>", log.size, escaped(&log.root))),
            ("policy", format!("{} <code>{}</code>", escaped(&policy.name), escaped(&policy.sha256))),
            ("in force since", escaped(&policy.since)),
            ("what was done", format!("in {days} days, from {} to {}", escaped(from), escaped(until))),
            ("rights", format!("in {}", escaped(place))),
        ];
        self.put(format_args!("<table>\n<tbody>\n"));
        for (name, fact) in facts {
            self.put(format_args!("<tr><th scope=\"row\">{name}</th><td>{fact}</td></tr>\n"));
        }
        self.put(format_args!("</tbody>\n</table>\n"));
    }

    fn table(&mut self, title: &str, head: &[&str], rows: impl ExactSizeIterator<Item = Vec<String>>) {
        self.put(format_args!("<h2>{title} ({})</h2>\n", rows.len()));
        if rows.len() == 0 {
            return self.put(format_args!("<p>None.</p>\n"));
        }
        self.put(format_args!("<table>\n<thead><tr>"));
        for name in head {
            self.put(format_args!("<th scope=\"col\">{name}</th>"));
        }
        self.put(format_args!("</tr></thead>\n<tbody>\n"));
        for row in rows {
            self.put(format_args!("<tr><td>{}</td></tr>\n", row.join("</td><td>")));
        }
        self.put(format_args!("</tbody>\n</table>\n"));
    }

    fn stale(&mut self, review: &AccessReview) {
        let rows = review.stale.iter().map(|it| {
            vec![
                escaped(&it.kind),
                person(&it.person),
                escaped(&it.what),
                escaped(it.since.as_deref().unwrap_or_default()),
            ]
        });
        self.table("Stale", &["why", "who", "what", "since"], rows);
    }

    fn rights(&mut self, review: &AccessReview) {
        let rows = review.rights.iter().map(|it| {
            let through = if it.through.is_empty() {
                String::new()
            } else {
                format!(" through {}", it.through.join(", "))
            };
            vec![
                escaped(&it.right),
                escaped(&format!("{} {} {}", it.verb, it.resource, it.environment)),
                escaped(&it.rule),
                person(&it.person),
                escaped(&it.status),
                escaped(&format!("{}{through}", it.group)),
                used(it.uses, it.last_used_at.as_deref()),
            ]
        });
        self.table("Rights", &["right", "to do", "rule", "who", "status", "member of", "used"], rows);
    }

    fn people(&mut self, review: &AccessReview) {
        let rows = review.people.iter().map(|it| {
            vec![
                person(&it.person),
                escaped(&it.status),
                escaped(&it.enrolled_at),
                escaped(&it.groups.join(", ")),
                used(Some(it.entries), it.last_entry_at.as_deref()),
            ]
        });
        self.table("People", &["who", "status", "enrolled", "groups", "entries caused"], rows);
    }

    fn tokens(&mut self, review: &AccessReview) {
        let rows = review.tokens.iter().map(|it| {
            vec![
                format!("{} <code>{}</code>", escaped(&it.resource), escaped(&it.id)),
                person(&it.owner),
                escaped(&it.environment),
                escaped(&it.scopes.join(", ")),
                escaped(&it.expires_at),
                used(Some(it.uses), it.last_used_at.as_deref()),
            ]
        });
        self.table("Service tokens", &["token", "owner", "environment", "scopes", "expires", "used"], rows);
    }

    fn grants(&mut self, review: &AccessReview) {
        let rows: Vec<_> = review
            .tokens
            .iter()
            .flat_map(|token| {
                token.grants.iter().map(move |it| {
                    vec![
                        format!("{} <code>{}</code>", escaped(&token.resource), escaped(&token.id)),
                        escaped(&it.right),
                        escaped(&format!("{} {} {}", it.verb, it.resource, it.environment)),
                        escaped(&it.rule),
                        escaped(&it.scope),
                        format!("{}, {}", person(&token.owner), escaped(&it.group)),
                        escaped(&it.approval),
                        escaped(&token.expires_at),
                    ]
                })
            })
            .collect();
        let head = ["token", "right", "to do", "rule", "scope", "owner and group", "approval", "until"];
        self.table("What tokens may do", &head, rows.into_iter());
    }
}

fn used(times: Option<u64>, last: Option<&str>) -> String {
    match (times, last) {
        (None, _) => "not on record".to_owned(),
        (Some(0), _) => "<span class=\"never\">never</span>".to_owned(),
        (Some(times), last) => format!("{times}, last {}", escaped(last.unwrap_or_default())),
    }
}
