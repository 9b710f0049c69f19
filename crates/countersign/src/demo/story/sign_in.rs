//! Fay is invited by a one-time link, makes a passkey and is signed in; she signs out and in again; what was signed before, or for another page,
//! signs nobody in; her terminal asks to be let in; and all of it ends with her.

use anyhow::Context as _;
use countersign_api::terminal::RequestTerminal;
use countersign_client::{Client, Credential};

use super::evidence::said;
use super::people::{ana, invite};
use super::told::Told;
use super::word;
use crate::demo::browser::{Browser, Fields, Page};
use crate::demo::cast::Cast;

pub(super) async fn play(cast: &Cast, told: &mut Told) -> anyhow::Result<()> {
    let fay = invite(cast, "Fay").await?.id;
    let claim = std::fs::read_to_string(cast.places.at("fay.claim")).context("reading the claim")?;
    let mut browser = Browser::new(&cast.countersign())?;
    let made = claimed(&mut browser, claim.trim()).await?;
    told.same(
        "Fay opens her one-time link, makes a passkey, and is signed in",
        "on to /, signed in as Fay",
        format!("on to {}, {}", made.came_to(), signed_in(&mut browser).await?),
    )?;
    let mut mallory = Browser::new(&cast.countersign())?;
    let again = begun(&mut mallory, claim.trim()).await?;
    told.same("Whoever finds the link later gets nothing by it", "403", again.came_to())?;
    sign_out(&mut browser, told).await?;
    sign_in(&mut browser, told, &fay).await?;
    let terminal = let_in(&mut browser, told, (&cast.countersign(), &fay)).await?;
    let gone = ana(cast, &["person", "deactivate", &fay, "--reason", "left the company"]).await?;
    told.same(
        "Ana deactivates Fay, and her browser and her terminal are signed out by that",
        "ends with 0, on to the sign-in page, unauthenticated",
        format!("{}, {}, {}", said(&gone), signed_in(&mut browser).await?, word(&terminal.me().await)),
    )
}

/// The page that asks for a passkey, if the claim is an open one.
async fn begun(browser: &mut Browser, claim: &str) -> anyhow::Result<Page> {
    let page = browser.open("/claim").await?;
    let token = page.hidden("/claim", "token")?;
    browser.submit("/claim", &vec![("token", token), ("claim", claim.to_owned())]).await
}

async fn claimed(browser: &mut Browser, claim: &str) -> anyhow::Result<Page> {
    let page = begun(browser, claim).await?;
    let challenge = page.challenge()?;
    let mut fields: Fields = vec![
        ("token", page.hidden("/claim/passkey", "token")?),
        ("claim", claim.to_owned()),
        ("name", "Fay's key".to_owned()),
    ];
    fields.extend(browser.register(&challenge));
    fields.push(("challenge", challenge));
    browser.submit("/claim/passkey", &fields).await
}

/// As whom the browser is signed in, by the account's page.
async fn signed_in(browser: &mut Browser) -> anyhow::Result<String> {
    let page = browser.open("/account").await?;
    Ok(match page.next {
        Some(next) if next.starts_with("/sign-in") => "on to the sign-in page".to_owned(),
        _ if page.text.contains("<h1>Fay</h1>") => "signed in as Fay".to_owned(),
        _ => format!("answered {}", page.status),
    })
}

async fn sign_out(browser: &mut Browser, told: &mut Told) -> anyhow::Result<()> {
    let kept = browser.cookies();
    let page = browser.open("/account").await?;
    let token = page.hidden("/sign-out", "token")?;
    browser.submit("/sign-out", &vec![("token", token)]).await?;
    // As whoever copied them before would.
    browser.bring(kept);
    told.same(
        "She signs out, and the cookie that somebody copied before is worth nothing",
        "on to the sign-in page",
        signed_in(browser).await?,
    )
}

async fn sign_in(browser: &mut Browser, told: &mut Told, fay: &str) -> anyhow::Result<()> {
    let page = browser.open("/sign-in").await?;
    let elsewhere = fields(&page, browser.assert(&page.challenge()?, ("http://localhost.example", fay)))?;
    let refused = browser.submit("/sign-in", &elsewhere).await?;
    told.same("What her passkey would sign for another page signs nobody in", "401", refused.came_to())?;
    let page = browser.open("/sign-in").await?;
    let origin = browser.origin().to_owned();
    let right = fields(&page, browser.assert(&page.challenge()?, (&origin, fay)))?;
    browser.submit("/sign-in", &right).await?;
    let first = signed_in(browser).await?;
    let again = browser.submit("/sign-in", &right).await?;
    told.same(
        "She signs in with her passkey, and the same answer sent again is refused",
        "signed in as Fay, then 403",
        format!("{first}, then {}", again.came_to()),
    )
}

/// Her terminal shows a code, which she types in the browser. As whom it acts from then on.
async fn let_in(
    browser: &mut Browser,
    told: &mut Told,
    (server, fay): (&str, &str),
) -> anyhow::Result<Client> {
    let secret = Credential::draw_session()?;
    let terminal = Client::new(server, Some(&secret))?;
    let wanted = RequestTerminal { session_sha256: secret.sha256(), terminal: "Fay's laptop".to_owned() };
    let code = terminal.request_terminal(&wanted).await?.code;
    let before = word(&terminal.me().await);
    let page = browser.open("/device").await?;
    let token = page.hidden("/device", "token")?;
    let page = browser.submit("/device", &vec![("token", token), ("code", code)]).await?;
    let hidden = |name: &'static str| Ok::<_, anyhow::Error>((name, page.hidden("/device/let-in", name)?));
    let mut fields = vec![hidden("token")?, hidden("once")?, hidden("code")?, hidden("challenge")?];
    let origin = browser.origin().to_owned();
    fields.extend(browser.assert(&page.challenge()?, (&origin, fay)));
    browser.submit("/device/let-in", &fields).await?;
    let name = terminal.me().await?.name.unwrap_or_default();
    told.same(
        "Her terminal shows a code, and acts for her once she has typed it and proved who she is",
        "unauthenticated before, Fay after",
        format!("{before} before, {name} after"),
    )?;
    Ok(terminal)
}

/// The form of the sign-in page with an answer of the passkey.
fn fields(page: &Page, answer: Fields) -> anyhow::Result<Fields> {
    let hidden = |name: &'static str| Ok::<_, anyhow::Error>((name, page.hidden("/sign-in", name)?));
    let mut fields = vec![hidden("token")?, hidden("challenge")?, hidden("next")?];
    fields.extend(answer);
    Ok(fields)
}
