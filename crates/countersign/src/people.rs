//! `people.toml`: whom genesis enrols, by id and name. The policy names people by these ids.

use std::path::Path;

use anyhow::Context as _;
use countersign_server::genesis::NewPerson;
use serde::Deserialize;

use crate::failure::{Failure, Kind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    person: Vec<Person>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    id: String,
    name: String,
}

/// Reads the file.
pub(crate) fn load(path: &Path) -> anyhow::Result<Vec<NewPerson>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading `{shown}`"))?;
    parse(&text).map_err(|what| Failure::new(Kind::Malformed, format!("{shown}: {what}")).into())
}

fn parse(text: &str) -> Result<Vec<NewPerson>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut people: Vec<NewPerson> = Vec::with_capacity(file.person.len());
    for Person { id, name } in file.person {
        let id = id.parse().map_err(|error| format!("`{name}`: {error}"))?;
        if name.trim().is_empty() {
            return Err(format!("`{id}` has no name"));
        }
        if people.iter().any(|known| known.id == id || known.name == name) {
            return Err(format!("`{name}` or `{id}` appears twice"));
        }
        people.push(NewPerson { id, name });
    }
    if people.is_empty() { Err("nobody is named".to_owned()) } else { Ok(people) }
}

/// The file's text for these people.
pub(crate) fn render(people: &[NewPerson]) -> String {
    let mut text = String::from(
        "# Whom genesis enrols. The policy names people by these ids; names are kept in redactable details only.\n",
    );
    for NewPerson { id, name } in people {
        text.push_str(&format!("\n[[person]]\nid = \"{id}\"\nname = {}\n", toml::Value::from(name.as_str())));
    }
    text
}

#[cfg(test)]
mod tests {
    use countersign_core::id::PersonId;

    use super::*;

    #[test]
    fn what_is_written_can_be_read_and_doubles_are_rejected() {
        let people = [(1, "Ana"), (2, "Zoë \"Z\"")]
            .map(|(id, name)| NewPerson { id: PersonId(id), name: name.to_owned() });
        assert_eq!(parse(&render(&people)).unwrap(), people);
        let twice = [people[0].clone(), people[0].clone()];
        assert!(parse(&render(&twice)).unwrap_err().contains("appears twice"));
        assert!(parse("").is_err());
        assert!(parse("[[person]]\nid = \"ana\"\nname = \"Ana\"").unwrap_err().contains("per_"));
    }
}
