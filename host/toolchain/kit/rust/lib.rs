//! The plugin `NAME`.

use ophost_sdk::{model, operation, plugin};

/// The person to greet.
#[model]
struct Person {
    /// The name of the person.
    #[schemars(length(min = 1))]
    name: String,
    /// The first word of the greeting.
    #[serde(default = "hello")]
    greeting: String,
}

/// The answer to a person.
#[model]
struct Answer {
    /// The complete greeting.
    text: String,
}

fn hello() -> String {
    "Hello".to_owned()
}

/// Greets a person by name.
#[operation(category = "demo", async_enabled = true)]
fn MODULE(person: Person) -> Answer {
    Answer { text: format!("{}, {}!", person.greeting, person.name) }
}

plugin!(MODULE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn person_is_greeted_by_name() {
        let person = Person { name: "Ada".to_owned(), greeting: hello() };
        assert_eq!(MODULE(person).text, "Hello, Ada!");
    }

    #[test]
    fn greeting_has_a_default() {
        let output = MODULE::OPERATION.invoke(r#"{"name": "Ada"}"#).unwrap();
        assert_eq!(output, r#"{"text":"Hello, Ada!"}"#);
    }
}
