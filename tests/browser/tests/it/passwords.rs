//! From the one-time link to a decision with nothing but a password and an authenticator app, which is a script of the test: the browser's own
//! cryptography makes the codes.

use countersign_browser::Tab;
use serde_json::json;

use crate::stage::Stage;

const PASSWORD: &str = "nine lighthouses in a row";

/// The app's code so many steps from now, of the secret that was read from the page.
fn code(tab: &Tab, secret: &str, ahead: i32) -> String {
    let code = tab.evaluate(&format!(
        "(async () => {{
            const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', secret = {};
            const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0')).join('');
            const bytes = new Uint8Array(bits.length / 8).map((_, at) => parseInt(bits.slice(8 * at, 8 * at + 8), 2));
            const key = await crypto.subtle.importKey('raw', bytes, {{ name: 'HMAC', hash: 'SHA-1' }}, false, ['sign']);
            const step = new DataView(new ArrayBuffer(8));
            step.setUint32(4, Math.floor(Date.now() / 30000) + {ahead});
            const hash = new DataView(await crypto.subtle.sign('HMAC', key, step.buffer));
            const number = hash.getUint32(hash.getUint8(19) & 15) & 0x7fffffff;
            return String(number % 1000000).padStart(6, '0');
        }})()",
        json!(secret)
    ));
    code.as_str().expect("a code").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn somebody_claims_with_a_password_signs_out_signs_in_with_a_code_and_votes() {
    let stage = Stage::taking_passwords().await;
    let tab = Tab::open();
    tab.go(&format!("{}/claim#{}", stage.site, stage.claim("Ben")));
    tab.click("Continue");
    assert!(tab.text().contains("Welcome, Ben"), "{}", tab.text());
    tab.evaluate("document.querySelector('details').open = true");
    tab.picture("claim-password");
    let secret = tab.evaluate("document.querySelector('.secret').textContent.replaceAll(' ', '')");
    let secret = secret.as_str().expect("a secret").to_owned();
    let link = tab.evaluate("document.querySelector('a[href^=otpauth]').href");
    let link = link.as_str().expect("a link");
    assert!(link.starts_with("otpauth://totp/Countersign:Ben?secret=") && link.contains(&secret), "{link}");
    assert!(
        tab.evaluate("document.querySelector('svg.qr').getBoundingClientRect().width").as_f64() > Some(100.0)
    );

    // A code of another secret shows nothing; the same secret is asked for again.
    tab.fill("password", PASSWORD);
    tab.fill("new-code", "000000");
    tab.click("Set this password and sign in");
    assert!(tab.text().contains("not the code that the app shows"), "{}", tab.text());
    tab.until_complaint("422");
    tab.picture("claim-password-again");
    tab.fill("password", PASSWORD);
    tab.fill("new-code", &code(&tab, &secret, 0));
    tab.click("Set this password and sign in");
    assert!(tab.text().contains("They are shown this once"), "{}", tab.text());
    assert_eq!(tab.evaluate("document.querySelectorAll('.codes li').length"), 10);
    tab.picture("recovery-codes");
    let recovery = tab.evaluate("document.querySelector('.codes code').textContent");
    let recovery = recovery.as_str().expect("a code").to_owned();
    tab.click("I have kept them");
    assert!(tab.text().contains("Nothing waits for you"), "{}", tab.text());
    tab.click("Ben");
    assert!(tab.text().contains("10 of 10 recovery codes left"), "{}", tab.text());
    tab.picture("account-password");

    // A code is good once: that one confirmed the app already.
    tab.click("Sign out");
    tab.picture("sign-in-password");
    let sign_in = |code: &str| {
        tab.fill("user", "Ben");
        tab.fill("password", PASSWORD);
        tab.fill("code", code);
        tab.click("Sign in with a password");
    };
    let id = stage.asked(("override", "payout/limit"), json!({})).await;
    tab.go(&format!("{}/approvals/{id}", stage.site));
    assert!(tab.path().starts_with("/sign-in"), "{}", tab.path());
    sign_in("000000");
    assert!(tab.text().contains("do not sign in together"), "{}", tab.text());
    tab.until_complaint("401");
    sign_in(&code(&tab, &secret, 1));
    assert_eq!(tab.path(), format!("/approvals/{id}"), "where they wanted to go: {}", tab.text());
    tab.fill("agree", "checked with the bank");
    tab.click("Approve");
    let approval = stage.ana.approval(&id).await.expect("it is there");
    assert_eq!((approval.status.as_str(), approval.votes.len()), ("approved", 1));
    assert_eq!(approval.votes[0].person.name.as_deref(), Some("Ben"));

    // The app is gone: a recovery code signs in, once.
    tab.click("Sign out");
    sign_in(&recovery.to_lowercase());
    assert_eq!(tab.path(), "/", "{}", tab.text());
    tab.click("Ben");
    assert!(tab.text().contains("9 of 10 recovery codes left"), "{}", tab.text());
    assert!(tab.text().contains("Signed in with a recovery code"), "{}", tab.text());
    tab.click("Choose another password");
    tab.picture("password-set");
    assert_eq!(tab.path(), "/account/password");
    assert_eq!(tab.complaints(), Vec::<String>::new(), "pages keep to their own policy");
    stage.end().await;
}
