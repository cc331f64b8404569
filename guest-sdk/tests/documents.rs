//! Operations with collections: the declared models, and the documents of a run.

#![forbid(unsafe_code)]

use ophost_sdk::serde_json::{Value, json};
use ophost_sdk::{
    Collection, Condition, DocumentError, Failure, FailureKind, Model, Operation, ReadCollection,
    Result, documents, model, operation, plugin,
};

#[model]
#[derive(PartialEq)]
struct Account {
    owner: String,
    balance: i64,
}

#[model(collection = "accounts", strict)]
struct StrictAccount {
    owner: String,
    balance: i64,
}

/// A number of at most 9.
#[model]
struct Digit(#[schemars(range(max = 9))] u8);

#[model(collection = "people")]
struct Person {
    name: String,
}

#[model]
struct QueryIndex {
    text: String,
}

#[model]
struct Amount {
    from: String,
    to: String,
    amount: i64,
}

/// Transfers an amount.
#[operation(category = "bank", models_out = ["Account", "Log"], models_in = ["Rate"])]
fn transfer(input: Amount, accounts: Collection<Account>) -> Result<i64> {
    let mut from = accounts.require(&input.from)?;
    from.value.balance -= input.amount;
    accounts.save(&mut from)?;
    let mut to = accounts.require(&input.to)?;
    to.value.balance += input.amount;
    accounts.save(&mut to)?;
    Ok(from.value.balance)
}

/// Uses collections of several kinds.
#[operation(category = "bank", annotations("ophost.idempotent" = true))]
fn mixed(
    people: ReadCollection<Person>,
    input: Amount,
    accounts: ophost_sdk::Collection<Account>,
    indexes: ophost_sdk::documents::ReadCollection<QueryIndex>,
    same_accounts: Collection<Account>,
) -> Result<Vec<bool>> {
    let id = &input.from;
    Ok(vec![
        people.get(id)?.is_some(),
        accounts.get(id)?.is_some(),
        indexes.get(id)?.is_some(),
        same_accounts.delete(id)?,
    ])
}

/// Uses collections that the operation does not declare.
#[operation(category = "bank")]
fn use_undeclared(what: String, accounts: ReadCollection<Account>) -> Result<()> {
    let person = Person { name: "Ada".into() };
    match what.as_str() {
        "read" => drop(accounts.get("1")?),
        "write" => drop(Collection::<Account>::new().delete("1")?),
        _ => Collection::new().put("1", &person)?,
    }
    Ok(())
}

/// Writes a document and panics.
#[operation(category = "bank")]
fn write_and_panic(accounts: Collection<Account>) -> Result<()> {
    accounts.put("1", &account(7))?;
    panic!("after the write");
}

/// Calls another operation, and fails if `fail` is set.
#[operation(category = "bank")]
fn outer(fail: bool, _people: Collection<Person>, _accounts: Collection<Account>) -> Result<()> {
    transfer::OPERATION.invoke(&amount("1", "2"))?;
    Collection::new().put("1", &Person { name: "Ada".into() })?;
    if fail { Err(Failure::error("requested")) } else { Ok(()) }
}

/// Deletes a document and returns an output that breaks the schema.
#[operation(category = "bank")]
fn return_wrong_output(accounts: Collection<Account>) -> Result<Digit> {
    accounts.delete("1")?;
    Ok(Digit(10))
}

plugin!(transfer, mixed, use_undeclared, write_and_panic, outer, return_wrong_output);

fn account(balance: i64) -> Account {
    Account { owner: "Ada".into(), balance }
}

fn amount(from: &str, to: &str) -> String {
    json!({"from": from, "to": to, "amount": 3}).to_string()
}

fn seeded() -> documents::Memory {
    let memory = documents::memory();
    memory.reset();
    memory.seed("1", &account(10));
    memory.seed("2", &account(20));
    memory
}

fn balances(memory: &documents::Memory) -> Vec<Value> {
    memory.documents("accounts").values().map(|account| account["balance"].clone()).collect()
}

fn failure(operation: Operation, input: &str) -> Failure {
    operation.invoke(input).expect_err("the operation fails")
}

#[test]
fn a_collection_declares_its_model_once() {
    assert_eq!(transfer::OPERATION.models_in, ["Rate"]);
    assert_eq!(transfer::OPERATION.models_out, ["Account", "Log"]);
    assert_eq!(mixed::OPERATION.models_in, ["Person", "QueryIndex"]);
    assert_eq!(mixed::OPERATION.models_out, ["Account"]);
}

#[test]
fn a_collection_is_not_part_of_the_input_schema() {
    let schema = (mixed::OPERATION.input_schema)();
    assert_eq!(schema["required"], json!(["from", "to", "amount"]));
    let schema = (write_and_panic::OPERATION.input_schema)();
    assert_eq!(schema.get("properties"), None);
}

#[test]
fn an_explicit_collection_name_is_annotated() {
    let annotations = mixed::OPERATION.annotations.iter();
    let annotations: Vec<_> = annotations.map(|it| (it.key, (it.value)())).collect();
    assert_eq!(
        annotations,
        [("ophost.idempotent", json!(true)), ("ophost.collections", json!({"Person": "people"}))]
    );
    assert!(transfer::OPERATION.annotations.is_empty());
}

#[test]
fn documents_are_stored_in_the_collection_of_their_model() {
    documents::memory().reset();
    Collection::new().put("1", &Person { name: "Ada".into() }).unwrap();
    Collection::new().put("1", &QueryIndex { text: "Ada".into() }).unwrap();
    assert_eq!(documents::memory().documents("people")["1"], json!({"name": "Ada"}));
    assert_eq!(documents::memory().documents("queryindexes")["1"], json!({"text": "Ada"}));
    assert_eq!((Person::NAME, Person::COLLECTION), ("Person", Some("people")));
}

#[test]
fn a_successful_run_commits_its_writes() {
    let memory = seeded();
    assert_eq!(transfer::OPERATION.invoke(&amount("1", "2")).unwrap(), "7");
    assert_eq!(balances(&memory), [7, 23]);
    assert_ne!(Collection::<Account>::new().require("1").unwrap().revision, 0);
}

#[test]
fn a_run_that_fails_or_panics_commits_nothing() {
    let memory = seeded();
    let failed = failure(transfer::OPERATION, &amount("1", "3"));
    assert_eq!(
        failed,
        Failure::error("document `3` does not exist in `accounts`").code("not-found")
    );
    assert_eq!(balances(&memory), [10, 20]);
    std::panic::catch_unwind(|| write_and_panic::OPERATION.invoke("{}")).unwrap_err();
    assert_eq!(balances(&memory), [10, 20]);
    transfer::OPERATION.invoke(&amount("1", "2")).expect("the next run is not affected");
}

#[test]
fn a_transfer_to_the_same_account_keeps_the_balance() {
    let memory = seeded();
    assert_eq!(transfer::OPERATION.invoke(&amount("1", "1")).unwrap(), "7");
    assert_eq!(balances(&memory), [10, 20]);
}

#[test]
fn a_nested_operation_is_part_of_the_outer_run() {
    let memory = seeded();
    assert_eq!(failure(outer::OPERATION, "true").message, "requested");
    assert_eq!(balances(&memory), [10, 20]);
    outer::OPERATION.invoke("false").unwrap();
    assert_eq!(balances(&memory), [7, 23]);
    assert!(memory.documents("people").contains_key("1"));
}

#[test]
fn undeclared_collections_are_denied() {
    let memory = seeded();
    use_undeclared::OPERATION.invoke(r#""read""#).unwrap();
    for (input, message) in [
        (r#""write""#, "the operation's models name the collection `accounts` for reading only"),
        (r#""people""#, "the operation's models do not name the collection `people`"),
    ] {
        let denied = Failure::permanent(message).code("denied");
        assert_eq!(failure(use_undeclared::OPERATION, input), denied);
    }
    use_undeclared("write".into(), ReadCollection::new())
        .expect("a direct call has access to all collections");
    assert_eq!(balances(&memory), [20]);
}

#[test]
fn conditions_are_checked() {
    seeded();
    let accounts = Collection::new();
    let put = |id, condition| accounts.put_if(id, &account(1), condition);
    let (collection, id) = (|| "accounts".to_owned(), String::from);
    assert_eq!(
        put("1", Condition::Absent),
        Err(DocumentError::Exists { collection: collection(), id: id("1") })
    );
    assert_eq!(
        put("3", Condition::Present),
        Err(DocumentError::NotFound { collection: collection(), id: id("3") })
    );
    let revision = accounts.require("1").unwrap().revision;
    assert_eq!(
        put("1", Condition::At(revision + 1)),
        Err(DocumentError::Stale {
            collection: collection(),
            id: id("1"),
            revision: Some(revision)
        })
    );
    put("1", Condition::At(revision)).unwrap();
    put("1", Condition::Present).unwrap();
    put("3", Condition::Absent).unwrap();
    put("3", Condition::Always).unwrap();
    assert_eq!(accounts.require("3").unwrap().revision, 0);
    put("3", Condition::At(0)).expect("a document written by this run has revision 0");
}

#[test]
fn save_fails_if_the_document_has_changed_since_the_read() {
    let memory = seeded();
    let accounts = Collection::<Account>::new();
    let (mut first, mut second) = (accounts.require("1").unwrap(), accounts.require("1").unwrap());
    accounts.save(&mut first).unwrap();
    accounts.save(&mut first).expect("a saved copy can be saved again");
    let error = accounts.save(&mut second).unwrap_err();
    assert!(matches!(error, DocumentError::Stale { revision: Some(0), .. }), "{error:?}");
    memory.commit();
    let committed = accounts.require("1").unwrap().revision;
    assert!(committed > second.revision, "the revision increases: {committed}");
    accounts.delete("1").unwrap();
    let error = accounts.save(&mut second).unwrap_err();
    assert_eq!(error.to_string(), "document `1` in `accounts` no longer exists");
}

#[test]
fn save_keeps_fields_that_the_model_does_not_have() {
    let memory = seeded();
    let stored = json!({"owner": "Ada", "colour": "red", "balance": 1.0, "tags": [{"a": 1}]});
    memory.seed_json("accounts", "1", stored);
    let accounts = Collection::<Account>::new();
    let mut account = accounts.require("1").unwrap();
    accounts.save(&mut account).unwrap();
    account.value.owner = "Bob".into();
    accounts.save(&mut account).unwrap();
    assert_eq!(
        memory.documents("accounts")["1"],
        json!({"owner": "Bob", "colour": "red", "balance": 1.0, "tags": [{"a": 1}]})
    );
    accounts.put("1", &account.value).unwrap();
    assert_eq!(memory.documents("accounts")["1"], json!({"owner": "Bob", "balance": 1}));
}

#[test]
fn save_fails_if_the_stored_document_does_not_match_the_model() {
    seeded();
    let accounts = Collection::<Account>::new();
    let mut account = accounts.require("1").unwrap();
    accounts.save(&mut account).unwrap();
    accounts.set("1", [("balance", "much")]).unwrap();
    let error = accounts.save(&mut account).unwrap_err();
    assert!(matches!(error, DocumentError::ModelMismatch { .. }), "{error:?}");
}

#[test]
fn only_a_strict_model_rejects_documents_with_unknown_fields() {
    let memory = seeded();
    memory.seed_json("accounts", "3", json!({"owner": "Ada", "balance": 5, "sku": "x"}));
    assert_eq!(ReadCollection::<Account>::new().require("3").unwrap().value.balance, 5);
    let error = ReadCollection::<StrictAccount>::new().get("3").unwrap_err();
    assert_eq!(
        error.to_string(),
        "document `3` in `accounts` does not match model `StrictAccount`: `sku`: unknown field \
         `sku`, expected `owner` or `balance`; a model that is not strict ignores unknown fields"
    );
}

#[test]
fn a_run_with_an_invalid_output_commits_nothing() {
    let memory = seeded();
    let failed = failure(return_wrong_output::OPERATION, "{}");
    assert_eq!(failed.code.as_deref(), Some("invalid-output"));
    assert_eq!(balances(&memory), [10, 20]);
}

#[test]
fn inserted_documents_get_increasing_ids() {
    documents::memory().reset();
    let accounts = Collection::new();
    let ids: Vec<_> = (0..12).map(|balance| accounts.insert(&account(balance)).unwrap()).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
}

#[test]
fn a_document_that_does_not_match_its_model_is_reported() {
    let memory = seeded();
    memory.seed_json("accounts", "odd", json!({"owner": "Ada", "balance": "much"}));
    memory.seed_json("accounts", "whole", json!({"owner": "Ada", "balance": 5.0}));
    let accounts = ReadCollection::<Account>::new();
    assert_eq!(accounts.require("whole").unwrap().value.balance, 5);
    let error = accounts.get("odd").unwrap_err();
    assert_eq!(
        error.to_string(),
        "document `odd` in `accounts` does not match model `Account`: `balance`: invalid type: \
         string \"much\", expected i64"
    );
    let failure = Failure::from(error);
    assert_eq!((failure.kind, failure.code.as_deref()), (FailureKind::Error, Some("does-not-fit")));
}

#[test]
fn invalid_and_too_large_documents_are_rejected() {
    documents::memory().reset();
    let accounts = Collection::new();
    let error = accounts.put("", &account(1)).unwrap_err();
    assert!(matches!(error, DocumentError::Invalid(_)), "{error:?}");
    let failure = Failure::from(error);
    assert_eq!((failure.kind, failure.code.as_deref()), (FailureKind::Permanent, Some("invalid")));
    let error = accounts.put("1", &Account { owner: "x".repeat(1 << 20), balance: 0 }).unwrap_err();
    assert!(matches!(error, DocumentError::TooLarge(_)), "{error:?}");
    let no_json = std::collections::BTreeMap::from([((1, 2), 3)]);
    let error = accounts.set("1", [("balance", no_json)]).unwrap_err();
    assert_eq!(
        error,
        DocumentError::Invalid("cannot serialise the value as JSON: key must be a string".into())
    );
}

/// Returns the balances of the accounts that match a query, in order.
fn found(query: documents::Query<Account>) -> std::result::Result<Vec<i64>, DocumentError> {
    query.into_iter().map(|account| Ok(account?.value.balance)).collect()
}

#[test]
fn a_query_filters_sorts_and_limits() {
    let memory = documents::memory();
    for (id, owner, balance) in [("1", "Bob", 1), ("2", "Ada", 1), ("3", "Bob", 2), ("4", "Eve", 9)]
    {
        memory.seed(id, &Account { owner: owner.into(), balance });
    }
    let accounts = ReadCollection::<Account>::new();
    let some = || accounts.find(json!({"balance": {"$lt": 9}}));
    let ids = |query: documents::Query<Account>| -> Vec<String> {
        query.all().unwrap().into_iter().map(|account| account.id).collect()
    };
    assert_eq!(ids(some()), ["1", "2", "3"]);
    assert_eq!(ids(some().sort("-balance")), ["3", "1", "2"]);
    assert_eq!(ids(some().sort("balance").sort("owner")), ["2", "1", "3"]);
    assert_eq!(ids(some().sort("-_id").limit(2)), ["3", "2"]);
    assert_eq!(ids(some().limit(0)), [""; 0]);
    assert_eq!(some().sort("-_id").first().unwrap().unwrap().id, "3");
    assert_eq!(some().limit(0).first(), Ok(None));
    assert_eq!(accounts.find(json!({"owner": "Zoe"})).first(), Ok(None));
    assert_eq!(accounts.count(json!({"owner": "Bob"})), Ok(2));
}

#[test]
fn a_query_fetches_more_than_one_page() {
    let memory = documents::memory();
    let accounts = Collection::new();
    for balance in 0..1_234 {
        accounts.put(&format!("{balance:04}"), &account(balance)).unwrap();
    }
    memory.commit();
    let all: Vec<_> = (0..1_234).collect();
    assert_eq!(found(accounts.find(json!({}))), Ok(all.clone()));
    assert_eq!(found(accounts.find(json!({})).limit(1_111)), Ok(all[..1_111].into()));
    let backwards = found(accounts.find(json!({})).sort("-balance")).unwrap();
    assert!(backwards.iter().eq(all.iter().rev()));
}

#[test]
fn large_documents_are_found_even_if_few_fit_on_a_page() {
    documents::memory();
    let accounts = Collection::new();
    for balance in 0..5 {
        let owner = "x".repeat(600_000);
        accounts.put(&balance.to_string(), &Account { owner, balance }).unwrap();
    }
    assert_eq!(found(accounts.find(json!({}))), Ok(vec![0, 1, 2, 3, 4]));
}

#[test]
fn deleting_documents_inside_a_loop_skips_none() {
    let memory = documents::memory();
    let accounts = Collection::<Account>::new();
    for balance in 0..2_500 {
        accounts.insert(&account(balance)).unwrap();
    }
    for account in accounts.find(json!({})) {
        assert!(accounts.delete(&account.unwrap().id).unwrap());
    }
    assert!(memory.documents("accounts").is_empty());
}

#[test]
fn a_mismatched_document_is_an_error_at_its_position() {
    let memory = seeded();
    memory.seed_json("accounts", "1a", json!({}));
    let accounts = ReadCollection::<Account>::new();
    let mut all = accounts.find(json!({})).into_iter();
    assert_eq!(all.next().unwrap().unwrap().id, "1");
    let error = all.next().unwrap().unwrap_err();
    assert!(matches!(&error, DocumentError::ModelMismatch { id, .. } if id == "1a"), "{error:?}");
    assert_eq!(all.next().unwrap().unwrap().id, "2");
    assert!(all.next().is_none());
}

#[test]
fn iteration_ends_after_an_error_of_the_host() {
    seeded();
    let accounts = ReadCollection::<Account>::new();
    let mut none = accounts.find(json!({"$where": "1"})).into_iter();
    let error = none.next().unwrap().unwrap_err();
    assert!(matches!(&error, DocumentError::Invalid(why) if why.contains("$where")), "{error:?}");
    assert!(none.next().is_none() && none.next().is_none());
    let error = accounts.count(json!([])).unwrap_err();
    assert_eq!(error.code(), "invalid");
}

#[test]
fn fields_are_set_and_merged() {
    let memory = documents::memory();
    memory.seed_json("accounts", "1", json!({"owner": "Ada", "balance": 1, "tags": ["a"]}));
    let accounts = Collection::<Account>::new();
    accounts.set("1", [("tags.1", json!("b")), ("at.home", json!(null))]).unwrap();
    accounts.merge("1", &json!({"owner": null, "balance": 2})).unwrap();
    assert_eq!(
        memory.documents("accounts")["1"],
        json!({"balance": 2, "tags": ["a", "b"], "at": {"home": null}})
    );
    let error = accounts.set("1", [("balance.0", 1)]).unwrap_err();
    assert_eq!(error.code(), "invalid");
    assert!(matches!(accounts.merge("9", &json!({})), Err(DocumentError::NotFound { .. })));
}

#[test]
fn discard_drops_all_writes_of_the_run() {
    let memory = seeded();
    let accounts = Collection::<Account>::new();
    accounts.delete("1").unwrap();
    accounts.put("3", &account(1)).unwrap();
    documents::discard();
    assert_eq!(balances(&memory), [10, 20]);
    assert_ne!(accounts.require("1").unwrap().revision, 0);
}
