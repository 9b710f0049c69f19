//! What other sites, other forms and other scripts try, and what a browser and the node make of it.

use serde_json::json;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_form_of_another_site_or_with_another_token_does_nothing() {
    let stage = Stage::begin().await;
    let (tab, _) = stage.arrive("Ben");
    let id = stage.asked(("override", "payout/limit"), json!({})).await;
    let page = format!("{}/approvals/{id}", stage.site);

    // Another token, and that of another form.
    tab.go(&page);
    for token in ["'x'", "document.querySelector('form[action$=deny] [name=token]').value"] {
        tab.evaluate(&format!(
            "document.querySelector('form[action$=approve] [name=token]').value = {token}"
        ));
        tab.click("Approve");
        assert!(tab.text().contains("form_stale"), "{}", tab.text());
        tab.picture("problem");
        tab.go(&page);
    }

    // Another site: the same server by its number. Its pages may send forms to themselves only, so the form is sent from one without a policy.
    tab.go(&format!("{}/healthz", stage.elsewhere));
    tab.evaluate(&format!(
        "window.here = true; document.body.innerHTML = '<form method=post action={page}/approve><input name=token value=x></form>'; \
         setTimeout(() => document.forms[0].submit(), 0)"
    ));
    // Our pages' policy is kept elsewhere, too.
    tab.until_complaint("form-action");
    for (action, told) in
        [(format!("{page}/approve"), "to http"), (format!("{}/sign-in", stage.site), "cross_site")]
    {
        // The cookie does not come along, so it is a stranger's; and where strangers may send something, the page it comes from is looked at.
        tab.go("data:text/html,<title>elsewhere</title>");
        tab.evaluate(&format!(
            "window.here = true; document.body.innerHTML = '<form method=post action={action}><input name=token value=x></form>'; \
             setTimeout(() => document.forms[0].submit(), 0)"
        ));
        tab.until("window.here === undefined && document.readyState === 'complete'");
        assert!(tab.text().contains(told), "{action}: {}", tab.text());
    }

    assert_eq!(stage.ana.approval(&id).await.expect("it is there").votes.len(), 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_link_from_elsewhere_leads_to_the_page_without_signing_in_again() {
    let stage = Stage::begin().await;
    let (tab, _) = stage.arrive("Ben");
    let id = stage.asked(("override", "payout/limit"), json!({})).await;
    tab.go("data:text/html,<title>elsewhere</title>");
    tab.evaluate(&format!(
        "document.body.innerHTML = '<a href={}/approvals/{id}>look</a>'; setTimeout(() => document.querySelector('a').click(), 0)",
        stage.site
    ));
    tab.until("document.querySelector('h1')?.textContent.includes('override payout/limit')");
    assert_eq!(tab.path(), format!("/approvals/{id}"));
    assert_eq!(stage.ana.approval(&id).await.expect("it is there").votes.len(), 0, "looking decides nothing");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_script_but_ours_runs() {
    let stage = Stage::begin().await;
    let (tab, _) = stage.arrive("Ben");
    assert_eq!(tab.complaints(), Vec::<String>::new());
    tab.evaluate("const it = document.createElement('script'); it.textContent = 'window.pwned = 1'; document.body.append(it)");
    tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.pwned = 2\"><p style=\"color:red\">')");
    tab.until("document.images[0].complete");
    assert_eq!(tab.evaluate("window.pwned ?? null"), json!(null));
    assert_eq!(tab.evaluate("document.cookie"), "", "no script sees a cookie");
    tab.until_complaint("script-src");
    stage.end().await;
}
