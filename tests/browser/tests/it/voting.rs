//! A voting passkey is made on a page, agreed to by somebody else, put in force, signs what is shown, and is revoked.

use serde_json::json;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_voting_passkey_is_enrolled_by_page_and_signs() {
    let stage = Stage::begin().await;
    let (ben, _) = stage.arrive("Ben");
    let (chloe, _) = stage.arrive("Chloe");
    ben.go(&format!("{}/account", stage.site));
    ben.click("Voting keys");
    assert_eq!(ben.path(), "/account/voting-keys");
    ben.picture("voting-keys-none");
    ben.click("Make a voting passkey");
    let asked = ben.path();
    assert!(asked.starts_with("/approvals/apr_"), "{asked}: {}", ben.text());

    chloe.go(&format!("{}{asked}", stage.site));
    assert!(chloe.text().contains("parameters.key.rp_id"), "{}", chloe.text());
    chloe.click("Approve");

    ben.go(&format!("{}/account/voting-keys", stage.site));
    ben.picture("voting-keys-approved");
    ben.click("Put it in force");
    assert!(ben.text().contains("a passkey, for these pages"), "{}", ben.text());
    ben.picture("voting-keys");

    let id = stage.asked(("deploy", "release/nudgepay"), json!({ "digest": "sha256:00" })).await;
    ben.go(&format!("{}/approvals/{id}", stage.site));
    ben.click("Sign and approve");
    assert!(ben.text().contains("signed"), "{}", ben.text());
    let approval = stage.ana.approval(&id).await.expect("it is there");
    let signature = approval.votes[0].signature.as_ref().expect("signed");
    assert!(signature.passkey.is_some(), "{signature:?}");
    assert_eq!(approval.status, "approved");

    // It signs votes and nothing else: signing in goes on with the other one.
    ben.go(&format!("{}/account", stage.site));
    ben.click("Sign out");
    ben.click("Sign in with a passkey");
    assert_eq!(ben.path(), "/", "{}", ben.text());

    ben.go(&format!("{}/account/voting-keys", stage.site));
    ben.click("Revoke");
    assert!(ben.text().contains("none in force"), "{}", ben.text());
    for tab in [ben, chloe] {
        assert_eq!(tab.complaints(), Vec::<String>::new(), "pages keep to their own policy");
    }
    stage.end().await;
}
