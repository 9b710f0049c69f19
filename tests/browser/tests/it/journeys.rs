//! From the one-time link to a decision, and out again.

use countersign_api::person::EnrollKey;
use countersign_api::terminal::RequestTerminal;
use countersign_client::{Client, Credential};
use countersign_core::id::PersonId;
use countersign_ledger::display::short_digest;
use serde_json::{Value, json};

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn somebody_claims_signs_out_and_signs_in_with_their_passkey() {
    let stage = Stage::begin().await;
    let tab = countersign_browser::Tab::open();
    tab.add_authenticator();

    // The link alone does nothing: it is filled in, and gone from the address.
    tab.go(&format!("{}/claim#{}", stage.site, stage.claim("Ben")));
    assert_eq!(tab.path(), "/claim");
    assert_eq!(tab.evaluate("document.getElementById('claim').value"), stage.claim("Ben"));
    tab.picture("claim");
    tab.click("Continue");
    assert!(tab.text().contains("Welcome, Ben"), "{}", tab.text());
    tab.picture("register");
    tab.fill("name", "Laptop");
    tab.click("Make a passkey and sign in");
    assert!(tab.text().contains("Nothing waits for you"), "{}", tab.text());
    tab.picture("inbox-empty");

    tab.click("Ben");
    let account = tab.text();
    for told in [
        "Laptop",
        "per_00000000000000000000000000000002",
        "approvers",
        "Signed in with a one-time link",
        "here",
    ] {
        assert!(account.contains(told), "{told}: {account}");
    }
    tab.picture("account");
    tab.click("Sign out");
    assert_eq!(tab.path(), "/sign-in");
    tab.picture("sign-in");
    tab.go(&format!("{}/account", stage.site));
    assert_eq!(tab.path(), "/sign-in?next=%2Faccount", "nobody is signed in");

    tab.click("Sign in with a passkey");
    assert_eq!(tab.path(), "/account", "{}", tab.text());
    assert!(tab.text().contains("signed in with it"), "{}", tab.text());

    // The link works once.
    tab.go(&format!("{}/claim#{}", stage.site, stage.claim("Ben")));
    tab.click("Continue");
    assert!(tab.text().contains("One-time code") && !tab.text().contains("Welcome, Ben"), "{}", tab.text());
    let complaints = tab.complaints();
    assert!(
        complaints.iter().all(|told| told.contains("403")),
        "only that the claim is refused: {complaints:?}"
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn passkeys_and_sessions_are_listed_added_and_ended() {
    let stage = Stage::begin().await;
    let (tab, first) = stage.arrive("Ben");
    tab.go(&format!("{}/account", stage.site));
    tab.order("WebAuthn.removeVirtualAuthenticator", json!({ "authenticatorId": first }));
    let second = tab.add_authenticator();
    tab.fill("name", "Security key");
    tab.click("Add a passkey");
    let account = tab.text();
    assert!(account.contains("Laptop") && account.contains("Security key"), "{account}");
    tab.picture("account-two");

    // Signed in anew, so that there are two sessions; the one before ends from here.
    tab.order("Network.clearBrowserCookies", json!({}));
    tab.go(&format!("{}/sign-in", stage.site));
    tab.click("Sign in with a passkey");
    tab.go(&format!("{}/account", stage.site));
    assert_eq!(tab.evaluate("document.querySelectorAll('#sessions + .card li').length"), 2);
    tab.evaluate(
        "window.here = true; setTimeout(() => document.querySelector('#sessions + .card li:last-child button').click(), 0)",
    );
    tab.until("window.here === undefined && document.readyState === 'complete'");
    assert_eq!(tab.evaluate("document.querySelectorAll('#sessions + .card li').length"), 1);

    // The first passkey goes; the last cannot.
    tab.evaluate("window.here = true; setTimeout(() => document.querySelector('[aria-label=\"Remove Laptop\"]').click(), 0)");
    tab.until("window.here === undefined && document.readyState === 'complete'");
    let account = tab.text();
    assert!(!account.contains("Laptop") && account.contains("Security key"), "{account}");
    assert_eq!(tab.evaluate("document.querySelectorAll('[aria-label^=Remove]').length"), 0);

    // An authenticator that does not recognise whoever is there signs nobody in.
    tab.click("Sign out");
    tab.set_verified(&second, false);
    tab.press("Sign in with a passkey");
    tab.until("document.querySelector('[role=alert]').textContent.length > 0");
    assert_eq!(tab.path(), "/sign-in");
    tab.set_verified(&second, true);
    tab.click("Sign in with a passkey");
    assert_eq!(tab.path(), "/");
    assert_eq!(tab.complaints(), Vec::<String>::new(), "pages keep to their own policy");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_is_read_approved_and_denied() {
    let stage = Stage::begin().await;
    let (tab, _) = stage.arrive("Ben");
    let odd = json!({ "amount_cents": 125_000, "note": "<b>bold</b> \u{202e}cod.exe" });
    let id = stage.asked(("override", "payout/limit"), odd).await;
    let other = stage.asked(("override", "payout/other"), json!({})).await;
    tab.go(&stage.site);
    assert!(tab.text().contains("2 requests wait for you"), "{}", tab.text());
    tab.picture("inbox");

    tab.go(&format!("{}/approvals/{id}", stage.site));
    let page = tab.text();
    for told in [
        "override payout/limit production",
        "parameters.amount_cents",
        "125000",
        "<b>bold</b> \\u{202e}cod.exe",
        "1 more of approvers",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let statement = stage.ana.statement(&id).await.expect("a statement");
    assert!(page.contains(&short_digest(&statement)), "the terminal shows the same: {page}");
    tab.picture("approval");
    tab.fill("agree", "checked with the bank");
    tab.click("Approve");
    assert!(tab.text().contains("agreed") && tab.text().contains("approved"), "{}", tab.text());
    tab.picture("approval-approved");
    let approval = stage.ana.approval(&id).await.expect("it is there");
    assert_eq!((approval.status.as_str(), approval.votes.len()), ("approved", 1));
    assert_eq!(approval.votes[0].person.name.as_deref(), Some("Ben"));

    tab.go(&format!("{}/approvals/{other}", stage.site));
    tab.fill("disagree", "not tonight");
    tab.click("Deny");
    assert!(tab.text().contains("denied"), "{}", tab.text());
    assert_eq!(stage.ana.approval(&other).await.expect("it is there").status, "denied");
    assert_eq!(tab.complaints(), Vec::<String>::new());
    stage.end().await;
}

/// A rule wants whoever agrees to prove that they are there: for this decision, in these words, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fresh_decision_is_proved_with_the_passkey() {
    let stage = Stage::begin().await;
    let (tab, authenticator) = stage.arrive("Ben");
    let id = stage.asked(("failover", "region/eu"), json!({ "to": "eu-west" })).await;
    tab.go(&format!("{}/approvals/{id}", stage.site));
    tab.fill("agree", "eu-central is gone");
    tab.click("Approve");
    let page = tab.text();
    let statement = stage.ana.statement(&id).await.expect("a statement");
    for told in [
        "Prove that it is you",
        "failover region/eu production",
        "eu-central is gone",
        &short_digest(&statement),
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    tab.picture("confirm");
    assert_eq!(stage.ana.approval(&id).await.expect("it is there").votes.len(), 0, "asked is not agreed");

    // Whoever is not recognised does not prove it, and other words are another decision.
    tab.set_verified(&authenticator, false);
    tab.press("Approve with a passkey");
    tab.until("document.querySelector('[role=alert]').textContent.length > 0");
    tab.set_verified(&authenticator, true);
    tab.evaluate("document.querySelector('[name=reason]').value = 'something else'");
    tab.click("Approve with a passkey");
    assert!(tab.text().contains("what this page asked for"), "{}", tab.text());
    assert_eq!(stage.ana.approval(&id).await.expect("it is there").votes.len(), 0);

    tab.go(&format!("{}/approvals/{id}", stage.site));
    tab.fill("agree", "eu-central is gone");
    tab.click("Approve");
    tab.click("Approve with a passkey");
    assert!(tab.text().contains("agreed"), "{}", tab.text());
    let approval = stage.ana.approval(&id).await.expect("it is there");
    assert_eq!((approval.status.as_str(), approval.votes.len()), ("approved", 1));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_voting_passkey_signs_what_is_shown() {
    let stage = Stage::begin().await;
    let (tab, _) = stage.arrive("Ben");
    let key = voting_passkey(&tab, &stage.site);
    let ben = PersonId(2).to_string();
    let enrolment = stage.asked(("enroll", &format!("voting-key/{ben}")), json!({ "key": key })).await;
    tab.go(&format!("{}/approvals/{enrolment}", stage.site));
    assert!(tab.text().contains("parameters.key.rp_id"), "{}", tab.text());
    tab.click("Approve");
    let enrolment = EnrollKey { key: key.to_string(), approval: enrolment };
    stage.ana.enroll_key(&ben, &enrolment).await.expect("enrolled");

    let id = stage.asked(("deploy", "release/nudgepay"), json!({ "digest": "sha256:00" })).await;
    tab.go(&format!("{}/approvals/{id}", stage.site));
    tab.picture("approval-signed");
    tab.click("Sign and approve");
    assert!(tab.text().contains("signed"), "{}", tab.text());
    let approval = stage.ana.approval(&id).await.expect("it is there");
    let signature = approval.votes[0].signature.as_ref().expect("signed");
    assert!(signature.passkey.is_some(), "{signature:?}");
    assert_eq!(tab.complaints(), Vec::<String>::new());
    stage.end().await;
}

/// Makes a passkey for voting, as a page for that would; its text, as it is enrolled.
fn voting_passkey(tab: &countersign_browser::Tab, site: &str) -> Value {
    let made = tab.evaluate(
        "(async () => {
            const made = await navigator.credentials.create({ publicKey: {
                challenge: new Uint8Array(32), rp: { id: 'localhost', name: 'Countersign' },
                user: { id: new TextEncoder().encode('vote'), name: 'votes', displayName: 'votes' },
                pubKeyCredParams: [{ type: 'public-key', alg: -7 }], authenticatorSelection: { userVerification: 'required' },
            } });
            const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
                .replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '');
            const data = new Uint8Array(made.response.getAuthenticatorData());
            const length = data[53] * 256 + data[54];
            return { id: text(made.rawId), key: text(data.slice(55 + length)), eligible: (data[32] & 8) !== 0 };
        })()",
    );
    json!({
        "_type": "countersign/passkey/v1", "backup_eligible": made["eligible"], "credential_id": made["id"],
        "origins": [site], "public_key": made["key"], "rp_id": "localhost",
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_terminal_is_signed_in_by_whoever_types_its_code_and_proves_themselves() {
    let stage = Stage::begin().await;
    let (tab, authenticator) = stage.arrive("Ben");
    let waiting = async |name: &str| {
        let secret = Credential::draw_session().expect("a secret");
        let request = RequestTerminal { session_sha256: secret.sha256(), terminal: name.into() };
        (stage.ana.request_terminal(&request).await.expect("it waits").code, secret)
    };
    let (code, secret) = waiting("ben@laptop").await;
    tab.go(&format!("{}/device", stage.site));
    tab.picture("device");
    tab.fill("code", "BBBB-BBBB");
    tab.click("Continue");
    assert!(tab.text().contains("There is no terminal"), "{}", tab.text());
    tab.until_complaint("404");
    tab.fill("code", &code.to_lowercase());
    tab.click("Continue");
    let page = tab.text();
    assert!(page.contains("ben@laptop") && page.contains(&code), "{page}");
    tab.picture("device-asking");
    tab.set_verified(&authenticator, false);
    tab.press("It is mine: sign it in");
    tab.until("document.querySelector('[role=alert]').textContent.length > 0");
    assert_eq!(stage.ana.terminal_standing(&secret.sha256()).await.expect("known").status, "waiting");
    tab.set_verified(&authenticator, true);
    tab.click("It is mine: sign it in");
    assert!(tab.text().contains("The terminal is signed in"), "{}", tab.text());
    let terminal = Client::new(&stage.elsewhere, Some(&secret)).expect("a client");
    assert_eq!(terminal.me().await.expect("let in").name.as_deref(), Some("Ben"));
    tab.go(&format!("{}/account", stage.site));
    assert!(tab.text().contains("A terminal, confirmed on this page"), "{}", tab.text());

    let (code, secret) = waiting("mallory@elsewhere").await;
    tab.go(&format!("{}/device", stage.site));
    tab.fill("code", &code);
    tab.click("Continue");
    tab.click("Turn it away");
    assert_eq!(stage.ana.terminal_standing(&secret.sha256()).await.expect("known").status, "turned-away");
    assert_eq!(tab.complaints(), Vec::<String>::new());
    stage.end().await;
}
