//! The published contract: complete, sound in itself, and the same as the file in the documentation.

use std::path::Path;

use serde_json::Value;

use super::harness::{Api, Call};

fn contract() -> Value {
    serde_json::to_value(countersign_server::http::contract()).expect("JSON")
}

/// Every `$ref` anywhere below.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), value) {
                    ("$ref", Value::String(target)) => found.push(target),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn operations(contract: &Value) -> Vec<(String, String, &Value)> {
    let paths = contract["paths"].as_object().expect("paths");
    let each =
        |(path, item): (&String, &'_ Value)| (path.clone(), item.as_object().expect("an item").clone());
    let mut found = Vec::new();
    for (path, methods) in paths.iter().map(each) {
        for method in methods.keys() {
            found.push((path.clone(), method.clone(), &contract["paths"][&path][method]));
        }
    }
    found
}

fn named(operation: &Value, place: &str) -> Vec<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let here = parameters.filter(|parameter| parameter["in"] == place);
    here.map(|parameter| parameter["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_is_whole() {
    let contract = contract();
    assert_eq!(contract["openapi"], "3.1.0");
    let mut found = Vec::new();
    references(&contract, &mut found);
    assert!(!found.is_empty());
    for target in found {
        let pointer = target.strip_prefix('#').expect("a reference within the document");
        assert!(contract.pointer(pointer).is_some(), "`{target}` leads nowhere");
    }
    let schemes = &contract["components"]["securitySchemes"];
    assert_eq!(schemes["credential"]["scheme"], "bearer");
    let tags: Vec<&Value> =
        contract["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]).collect();
    let mut ids = std::collections::BTreeSet::new();
    for (path, method, operation) in operations(&contract) {
        let what = format!("{method} {path}");
        let in_path: Vec<&str> = path.split('{').skip(1).filter_map(|part| part.split('}').next()).collect();
        assert_eq!(named(operation, "path"), in_path, "{what}: parameters");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{what}: summary");
        assert!(tags.contains(&&operation["tags"][0]), "{what}: a described tag");
        assert!(
            operation["operationId"].is_string() && ids.insert(operation["operationId"].to_string()),
            "{what}: id"
        );
        for (status, response) in operation["responses"].as_object().expect("responses") {
            assert!(response["description"].is_string(), "{what}: {status} needs a description");
        }
        for class in ["4XX", "5XX"] {
            // Tokens are exchanged in the words of OAuth, which has errors of its own.
            let (form, named) = match path.as_str() {
                "/oauth/token" => ("application/json", "#/components/schemas/TokenError"),
                _ => ("application/problem+json", "#/components/schemas/Problem"),
            };
            let schema = &operation["responses"][class]["content"][form]["schema"]["$ref"];
            assert_eq!(schema, named, "{what}: {class}");
        }
        let public = operation["security"].as_array().expect("security").is_empty();
        let keyed = named(operation, "header").contains(&"Idempotency-Key".to_owned());
        // What is posted to `/access/` only asks.
        let appends = method == "post" && !public && !path.starts_with("/access/");
        assert_eq!(keyed, appends, "{what}: idempotency key");
        assert!(
            !public || !path.starts_with("/admin") || path == "/admin/people/claim",
            "{what}: credential"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_serves_it() {
    let api = Api::start().await;
    let answer = api.ok(Call::get("/openapi.json")).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json, contract());
}

#[test]
fn the_documentation_holds_the_same() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/openapi.json");
    let now = countersign_server::http::contract().to_pretty_json().expect("JSON") + "\n";
    if std::env::var_os("COUNTERSIGN_UPDATE_REFERENCE").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("the folder exists");
        std::fs::write(&file, &now).expect("the file is written");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == now,
        "docs/reference/openapi.json is not the contract any more: run this test with \
         COUNTERSIGN_UPDATE_REFERENCE=1 and look at the difference before you commit it"
    );
}
