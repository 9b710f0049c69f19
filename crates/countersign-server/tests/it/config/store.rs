//! `[store]`: which database keeps the ledger, and that nothing secret stands in the file.

use std::path::Path;

use countersign_server::config::NodeConfig;

use super::NODE;

fn parsed(section: &str) -> Result<NodeConfig, String> {
    let text = format!("{NODE}\n[store]\n{section}");
    NodeConfig::parse(Path::new("/etc/countersign/countersign.toml"), &text)
        .map_err(|error| error.to_string())
}

#[test]
fn a_database_is_named_with_its_password_apart() {
    let section =
        "postgres = \"postgresql://node@db.example/ledger\"\npassword = \"env:PASSWORD\"\nca = \"ca.pem\"";
    let postgres = parsed(section).unwrap().postgres.expect("a database");
    assert_eq!(postgres.address.to_string(), "postgresql://node@db.example:5432/ledger");
    assert_eq!(postgres.ca.as_deref(), Some(Path::new("/etc/countersign/ca.pem")));
    assert!(postgres.password.is_some());
    assert!(parsed("").unwrap().postgres.is_none());
}

#[test]
fn what_is_odd_about_it_is_said_and_no_password_is_repeated() {
    for (section, told) in [
        ("postgres = \"postgresql://node:hunter2@db.example/ledger\"", "store.postgres: contains a password"),
        (
            "postgres = \"postgresql://node@db.example/ledger?sslmode=disable\"",
            "would talk to `db.example` in clear",
        ),
        ("postgres = \"mysql://node@db.example/ledger\"", "store.postgres: is not a connection URI"),
        (
            "postgres = \"postgresql://node@localhost/ledger\"\npassword = \"hunter2\"",
            "store.password: a secret is named as",
        ),
        (
            "postgres = \"postgresql://node@localhost/ledger\"\nca = \"ca.pem\"",
            "store.ca: this machine is talked to in clear",
        ),
        ("password = \"env:PASSWORD\"", "are for `postgres`, which is not named"),
        ("postgre = \"x\"", "unknown key `postgre`; did you mean `postgres`?"),
    ] {
        let error = parsed(section).expect_err(section);
        assert!(error.contains(told) && !error.contains("hunter2"), "{section}: {error}");
    }
}
