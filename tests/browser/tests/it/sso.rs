//! Through a real provider: linked, signed in, decided, and out again of both.

use serde_json::json;

use crate::provider::Provider;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn somebody_links_their_identity_signs_in_by_it_decides_and_leaves_the_provider_too() {
    let mut provider = Provider::start();
    let stage = Stage::at(&provider).await;
    provider.know((&stage.site, &stage.client_secret()));
    let (tab, _) = stage.arrive("Ben");
    // A browser that comes back from elsewhere comes once more by itself, so it is the page that is waited for.
    let there = |path: &str, told: &str| {
        let here = format!("location.href === '{}{path}' && document.readyState === 'complete'", stage.site);
        tab.until(&format!("{here} && document.body.innerText.includes('{told}')"));
    };

    // Before it is linked, it is nobody's.
    tab.go(&format!("{}/account", stage.site));
    assert!(tab.text().contains("none linked"), "{}", tab.text());
    tab.picture("identities-none");
    tab.press("Link Corp");
    provider.sign_in(&tab, "ben@corp");
    there("/account", "Unlink");
    assert!(!tab.text().contains("none linked"), "{}", tab.text());
    tab.picture("identities");

    tab.click("Sign out");
    assert_eq!(tab.path(), "/sign-in");
    tab.picture("sign-in-provider");
    tab.go(&format!("{}/account", stage.site));
    tab.press("Sign in through Corp");
    // The provider knows them still, and asks nobody.
    there("/account", "Signed in through a provider");

    let id = stage.asked(("override", "payout/limit"), json!({ "amount_cents": 5 })).await;
    tab.go(&format!("{}/approvals/{id}", stage.site));
    tab.fill("agree", "as agreed");
    tab.click("Approve");
    let approval = stage.ana.approval(&id).await.expect("there");
    assert_eq!((approval.status.as_str(), approval.votes.len()), ("approved", 1), "{}", tab.text());

    // Out of both: the provider asks, and signs in nobody without a question afterwards.
    tab.press("Sign out");
    tab.until(&format!("location.origin === '{}' && document.readyState === 'complete'", provider.issuer));
    tab.press("Yes, sign out");
    there("/sign-in", "Sign in with a passkey");
    tab.press("Sign in through Corp");
    provider.sign_in(&tab, "somebody@corp");
    tab.until("document.body && document.body.innerText.includes('Nobody is signed in')");
    tab.picture("stranger");
    tab.go(&format!("{}/account", stage.site));
    assert!(tab.path().starts_with("/sign-in"), "{}", tab.path());
    stage.end().await;
}
