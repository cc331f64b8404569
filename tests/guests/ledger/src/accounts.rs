//! Money in accounts: no operation but `ledger.open_account` makes any.

use ophost_sdk::serde_json::json;
use ophost_sdk::{
    Collection, Condition, Failure, ReadCollection, Result, documents, model, operation,
};

use crate::pause::{pause, spin};

/// What an account holds.
#[model]
pub(crate) struct Account {
    /// In cents.
    balance: i64,
}

/// An account to open.
#[model]
pub(crate) struct NewAccount {
    /// What names it.
    id: String,
    /// What is in it from the beginning.
    #[serde(default)]
    balance: i64,
}

/// Opens an account; fails if there is one of that id.
#[operation(name = "ledger.open_account", category = "test", async_enabled = true)]
pub(crate) fn open_account(input: NewAccount, accounts: Collection<Account>) -> Result<NewAccount> {
    accounts.put_if(&input.id, &Account { balance: input.balance }, Condition::Absent)?;
    Ok(input)
}

/// What to move where.
#[model]
pub(crate) struct Transfer {
    /// The account that it is taken from.
    from: String,
    /// The account that it is put into.
    to: String,
    /// How much, in cents.
    #[schemars(range(min = 1))]
    amount: i64,
    /// How long to wait between reading and writing.
    #[serde(default)]
    pause_ms: u64,
}

/// The accounts afterwards.
#[model]
#[derive(PartialEq)]
pub(crate) struct Balances {
    /// Of the first.
    from: i64,
    /// Of the second.
    to: i64,
}

/// Moves money from one account to another; fails if there is not enough.
#[operation(name = "ledger.transfer", category = "test", async_enabled = true)]
pub(crate) fn transfer(input: Transfer, accounts: Collection<Account>) -> Result<Balances> {
    let (mut from, mut to) = (accounts.require(&input.from)?, accounts.require(&input.to)?);
    pause(input.pause_ms);
    if from.value.balance < input.amount {
        return Err(Failure::permanent("there is not enough").code("not-enough"));
    }
    from.value.balance -= input.amount;
    to.value.balance += input.amount;
    accounts.save(&mut from)?;
    // Where both are the same account, this is no longer the one that was read: `stale`.
    accounts.save(&mut to)?;
    Ok(Balances { from: from.value.balance, to: to.value.balance })
}

/// What to move where, and what happens then.
#[model]
pub(crate) struct TransferThen {
    /// The account that it is taken from.
    from: String,
    /// The account that it is put into.
    to: String,
    /// How much, in cents.
    #[schemars(range(min = 1))]
    amount: i64,
    /// What happens then.
    then: Then,
}

/// How a run ends that has written.
#[model]
#[serde(rename_all = "lowercase")]
#[derive(Copy)]
pub(crate) enum Then {
    /// It fails.
    Fail,
    /// It panics.
    Trap,
    /// It never ends.
    Spin,
    /// Its output is not what its schema says.
    Lie,
    /// It succeeds.
    Succeed,
}

/// What its schema says: a number from 0.
#[model]
pub(crate) struct Amount {
    /// The number.
    #[schemars(range(min = 0))]
    amount: i64,
}

/// Moves money and then ends as it is told.
#[operation(name = "ledger.transfer_then", category = "test", async_enabled = true)]
pub(crate) fn transfer_then(input: TransferThen, accounts: Collection<Account>) -> Result<Amount> {
    let TransferThen { from, to, amount, then } = input;
    transfer(Transfer { from, to, amount, pause_ms: 0 }, accounts)?;
    match then {
        Then::Fail => Err(Failure::error("it was told to")),
        Then::Trap => panic!("it was told to"),
        Then::Spin => spin(),
        Then::Lie => Ok(Amount { amount: -1 }),
        Then::Succeed => Ok(Amount { amount }),
    }
}

/// All the money.
#[model]
#[derive(PartialEq)]
pub(crate) struct Audit {
    /// How many accounts there are.
    accounts: u64,
    /// What is in all of them.
    total: i64,
}

/// Adds up all accounts.
#[operation(name = "ledger.audit", category = "test")]
pub(crate) fn audit(accounts: ReadCollection<Account>) -> Result<Audit> {
    let mut total = 0;
    for account in accounts.find(json!({})) {
        total += account?.value.balance;
    }
    Ok(Audit { accounts: accounts.count(json!({}))?, total })
}

/// Which account.
#[model]
pub(crate) struct AccountId {
    /// What names it.
    id: String,
}

/// Reads an account and never ends.
#[operation(name = "ledger.read_then_spin", category = "test", async_enabled = true)]
pub(crate) fn read_then_spin(
    input: AccountId,
    accounts: ReadCollection<Account>,
) -> Result<Account> {
    accounts.get(&input.id)?;
    spin()
}

/// What an account held in the course of a run.
#[model]
#[derive(PartialEq)]
pub(crate) struct Seen {
    /// Before anything was written.
    before: i64,
    /// Once it was written.
    written: i64,
    /// Once that was discarded.
    discarded: i64,
}

/// Empties an account, discards that, and succeeds.
#[operation(name = "ledger.discard_and_return", category = "test", async_enabled = true)]
pub(crate) fn discard_and_return(input: AccountId, accounts: Collection<Account>) -> Result<Seen> {
    let balance = || accounts.require(&input.id).map(|account| account.value.balance);
    let before = balance()?;
    accounts.set(&input.id, [("balance", 0)])?;
    let written = balance()?;
    documents::discard();
    Ok(Seen { before, written, discarded: balance()? })
}

#[cfg(test)]
mod tests {
    use ophost_sdk::serde_json::Value;

    use super::*;

    fn accounts() -> documents::Memory {
        let memory = documents::memory();
        memory.seed("a", &Account { balance: 10 });
        memory.seed("b", &Account { balance: 5 });
        memory
    }

    fn balances() -> Vec<Value> {
        let accounts = documents::memory().documents("accounts").into_values();
        accounts.map(|account| account["balance"].clone()).collect()
    }

    fn moved(from: &str, to: &str, amount: i64) -> Result<String> {
        transfer::OPERATION.invoke(&json!({"from": from, "to": to, "amount": amount}).to_string())
    }

    #[test]
    fn an_account_is_opened_once() {
        let open = || open_account::OPERATION.invoke(r#"{"id": "a", "balance": 7}"#);
        assert_eq!(open().unwrap(), r#"{"id":"a","balance":7}"#);
        assert_eq!(open().unwrap_err().code.as_deref(), Some("exists"));
        assert_eq!(balances(), [7]);
    }

    #[test]
    fn money_is_moved() {
        accounts();
        assert_eq!(moved("a", "b", 3).unwrap(), r#"{"from":7,"to":8}"#);
        assert_eq!(balances(), [7, 8]);
        assert_eq!(audit(ReadCollection::new()).unwrap(), Audit { accounts: 2, total: 15 });
    }

    #[test]
    fn money_that_cannot_be_moved_stays() {
        accounts();
        for (from, to, amount, code) in
            [("a", "b", 11, "not-enough"), ("a", "c", 1, "not-found"), ("a", "a", 1, "stale")]
        {
            assert_eq!(moved(from, to, amount).unwrap_err().code.as_deref(), Some(code));
            assert_eq!(balances(), [10, 5]);
        }
    }

    #[test]
    fn money_that_is_moved_by_a_run_that_fails_is_not_moved() {
        accounts();
        let then = |then| {
            let input = json!({"from": "a", "to": "b", "amount": 1, "then": then});
            transfer_then::OPERATION.invoke(&input.to_string())
        };
        assert_eq!(then("fail").unwrap_err().message, "it was told to");
        assert_eq!(balances(), [10, 5]);
        then("succeed").unwrap();
        assert_eq!(balances(), [9, 6]);
    }

    #[test]
    fn what_is_discarded_is_not_seen() {
        accounts();
        let seen = discard_and_return(AccountId { id: "a".into() }, Collection::new()).unwrap();
        assert_eq!(seen, Seen { before: 10, written: 0, discarded: 10 });
    }
}
