//! Forms of a review: what somebody put into a name does nothing in any of them.

use countersign_api::PersonRef;
use countersign_api::review::{
    AccessReview, ReviewedGrant, ReviewedLog, ReviewedPerson, ReviewedPolicy, ReviewedRight, ReviewedToken,
    Stale,
};

use super::{csv, html};

/// Somebody whose name is a formula, a script and not what it seems.
fn mallory() -> PersonRef {
    let name = "=HYPERLINK(\"http://x\")<script>alert(1)</script>\u{202e}'&";
    PersonRef { id: "per_1".into(), name: Some(name.into()) }
}

fn review() -> AccessReview {
    let at = || "2026-11-25T20:00:00.000Z".to_owned();
    AccessReview {
        log: ReviewedLog { origin: "ledger.test/x".into(), size: 42, root: "aa".repeat(32) },
        policy: ReviewedPolicy { name: "main".into(), sha256: "bb".repeat(32), since: at() },
        days: 90,
        from: at(),
        until: at(),
        environment: None,
        people: vec![ReviewedPerson {
            person: mallory(),
            status: "active".into(),
            enrolled_at: at(),
            groups: vec!["engineers".into(), "guests".into()],
            entries: 0,
            last_entry_at: None,
        }],
        rights: vec![ReviewedRight {
            right: "approve".into(),
            rule: "payout".into(),
            verb: "override".into(),
            resource: "payout/limit".into(),
            environment: "*".into(),
            group: "approvers".into(),
            through: vec!["seniors".into()],
            person: mallory(),
            status: "active".into(),
            uses: Some(3),
            last_used_at: Some(at()),
        }],
        tokens: vec![ReviewedToken {
            id: "tok_1".into(),
            resource: "service-token/deployer".into(),
            owner: mallory(),
            environment: "production".into(),
            scopes: vec!["deploy:release/*".into()],
            issued_at: at(),
            workload: Some("=cmd".into()),
            parent: None,
            grants: vec![ReviewedGrant {
                right: "execute".into(),
                scope: "deploy:release/*".into(),
                rule: "releases".into(),
                verb: "deploy".into(),
                resource: "release/nudgepay".into(),
                environment: "production".into(),
                group: "engineers<b>".into(),
                approval: "required".into(),
            }],
            expires_at: at(),
            uses: 0,
            last_used_at: None,
        }],
        stale: vec![Stale {
            kind: "right-unused".into(),
            person: mallory(),
            what: "-2+3 as a member of @x".into(),
            since: Some(at()),
        }],
    }
}

#[test]
fn a_table_reads_back_as_it_was_and_holds_no_formula() {
    let written = csv::written(&review());
    let mut table = ::csv::Reader::from_reader(written.as_bytes());
    let rows: Vec<::csv::StringRecord> = table.records().collect::<Result<_, _>>().expect("RFC 4180");
    let sections: Vec<&str> = rows.iter().map(|row| &row[0]).collect();
    assert_eq!(sections, ["log", "person", "right", "token", "grant", "stale"]);
    for field in rows.iter().flatten() {
        assert!(!field.starts_with(['=', '+', '-', '@', '\t', '\r']), "{field}");
    }
    assert_eq!((&rows[0][7], &rows[0][11]), ("aa".repeat(32).as_str(), "42"), "bound to the log");
    assert_eq!(rows[1][2], format!("'{}", mallory().name.expect("a name")));
    assert_eq!(
        rows[2].iter().skip(3).collect::<Vec<_>>(),
        [
            "active",
            "approve",
            "payout",
            "override",
            "payout/limit",
            "*",
            "approvers",
            "seniors",
            "3",
            "2026-11-25T20:00:00.000Z",
            "",
            "",
            "",
        ]
    );
    let grant: Vec<_> = rows[4].iter().skip(3).take(8).collect();
    assert_eq!(
        grant,
        [
            "required",
            "execute",
            "releases",
            "deploy",
            "release/nudgepay",
            "production",
            "engineers<b>",
            "deploy:release/*"
        ]
    );
    assert_eq!((&rows[4][14], &rows[4][15]), ("tok_1", "2026-11-25T20:00:00.000Z"), "until when");
}

#[test]
fn a_page_shows_names_and_runs_nothing() {
    let page = html::written(&review());
    assert!(!page.contains("<script") && !page.contains("=HYPERLINK(\""), "{page}");
    assert!(!page.contains('\u{202e}') && page.contains("&lt;script&gt;"), "{page}");
    assert!(!page.contains("http") || page.matches("http").count() == page.matches("http://x").count());
    for (opened, closed) in [("<table>", "</table>"), ("<tr>", "</tr>"), ("<h2>", "</h2>")] {
        assert_eq!(page.matches(opened).count(), page.matches(closed).count());
    }
    assert!(
        page.contains("deploy release/nudgepay production") && page.contains("engineers&lt;b&gt;"),
        "{page}"
    );
    let top = page.split("<h2>").next().expect("a top");
    assert!(top.contains(&"aa".repeat(32)) && top.contains("42 entries"), "bound to the log");
    assert_eq!(page, html::written(&review()), "the same review, the same bytes");
}
