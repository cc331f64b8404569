//! Transfers between accounts. Only `ledger.open_account` changes the total of all balances.

use ophost_sdk::serde_json::json;
use ophost_sdk::{
    Collection, Condition, Failure, ReadCollection, Result, documents, model, operation,
};

use crate::pause::{pause, spin};

/// An account.
#[model]
pub(crate) struct Account {
    /// The balance in cents.
    balance: i64,
}

/// An account to open.
#[model]
pub(crate) struct NewAccount {
    /// The id of the account.
    id: String,
    /// The initial balance in cents.
    #[serde(default)]
    balance: i64,
}

/// Opens an account. Fails if the id already exists.
#[operation(name = "ledger.open_account", category = "test", async_enabled = true)]
pub(crate) fn open_account(input: NewAccount, accounts: Collection<Account>) -> Result<NewAccount> {
    accounts.put_if(&input.id, &Account { balance: input.balance }, Condition::Absent)?;
    Ok(input)
}

/// A transfer between two accounts.
#[model]
pub(crate) struct Transfer {
    /// The id of the debited account.
    from: String,
    /// The id of the credited account.
    to: String,
    /// The amount in cents.
    #[schemars(range(min = 1))]
    amount: i64,
    /// The pause between reading and writing, in milliseconds.
    #[serde(default)]
    pause_ms: u64,
}

/// The balances after a transfer.
#[model]
#[derive(PartialEq)]
pub(crate) struct Balances {
    /// The balance of the debited account, in cents.
    from: i64,
    /// The balance of the credited account, in cents.
    to: i64,
}

/// Transfers an amount from one account to another. Fails if the balance is too low.
#[operation(name = "ledger.transfer", category = "test", async_enabled = true)]
pub(crate) fn transfer(input: Transfer, accounts: Collection<Account>) -> Result<Balances> {
    let (mut from, mut to) = (accounts.require(&input.from)?, accounts.require(&input.to)?);
    pause(input.pause_ms);
    if from.value.balance < input.amount {
        return Err(Failure::permanent("insufficient funds").code("not-enough"));
    }
    from.value.balance -= input.amount;
    to.value.balance += input.amount;
    accounts.save(&mut from)?;
    // If both are the same account, the first write has changed its revision: `stale`.
    accounts.save(&mut to)?;
    Ok(Balances { from: from.value.balance, to: to.value.balance })
}

/// A transfer, and the end of its run.
#[model]
pub(crate) struct TransferThen {
    /// The id of the debited account.
    from: String,
    /// The id of the credited account.
    to: String,
    /// The amount in cents.
    #[schemars(range(min = 1))]
    amount: i64,
    /// The end of the run after the transfer.
    then: Then,
}

/// The end of a run after its writes.
#[model]
#[serde(rename_all = "lowercase")]
#[derive(Copy)]
pub(crate) enum Then {
    /// The run fails.
    Fail,
    /// The run panics.
    Trap,
    /// The run loops forever.
    Spin,
    /// The run returns an output that breaks the output schema.
    Lie,
    /// The run succeeds.
    Succeed,
}

/// An amount, which must not be negative.
#[model]
pub(crate) struct Amount {
    /// The amount in cents.
    #[schemars(range(min = 0))]
    amount: i64,
}

/// Makes a transfer, and then ends as the input requests.
#[operation(name = "ledger.transfer_then", category = "test", async_enabled = true)]
pub(crate) fn transfer_then(input: TransferThen, accounts: Collection<Account>) -> Result<Amount> {
    let TransferThen { from, to, amount, then } = input;
    transfer(Transfer { from, to, amount, pause_ms: 0 }, accounts)?;
    match then {
        Then::Fail => Err(Failure::error("the input requests a failure")),
        Then::Trap => panic!("the input requests a panic"),
        Then::Spin => spin(),
        Then::Lie => Ok(Amount { amount: -1 }),
        Then::Succeed => Ok(Amount { amount }),
    }
}

/// The total of all accounts.
#[model]
#[derive(PartialEq)]
pub(crate) struct Audit {
    /// The number of accounts.
    accounts: u64,
    /// The sum of all balances, in cents.
    total: i64,
}

/// Returns the sum of all balances.
#[operation(name = "ledger.audit", category = "test")]
pub(crate) fn audit(accounts: ReadCollection<Account>) -> Result<Audit> {
    let mut total = 0;
    for account in accounts.find(json!({})) {
        total += account?.value.balance;
    }
    Ok(Audit { accounts: accounts.count(json!({}))?, total })
}

/// The id of an account.
#[model]
pub(crate) struct AccountId {
    /// The id.
    id: String,
}

/// Reads an account and loops forever.
#[operation(name = "ledger.read_then_spin", category = "test", async_enabled = true)]
pub(crate) fn read_then_spin(
    input: AccountId,
    accounts: ReadCollection<Account>,
) -> Result<Account> {
    accounts.get(&input.id)?;
    spin()
}

/// The balances of an account during a run.
#[model]
#[derive(PartialEq)]
pub(crate) struct ReadBalances {
    /// The balance before the write, in cents.
    before: i64,
    /// The balance after the write, in cents.
    written: i64,
    /// The balance after the write was discarded, in cents.
    discarded: i64,
}

/// Sets the balance of an account to 0, discards the write, and succeeds.
#[operation(name = "ledger.discard_and_return", category = "test", async_enabled = true)]
pub(crate) fn discard_and_return(
    input: AccountId,
    accounts: Collection<Account>,
) -> Result<ReadBalances> {
    let balance = || accounts.require(&input.id).map(|account| account.value.balance);
    let before = balance()?;
    accounts.set(&input.id, [("balance", 0)])?;
    let written = balance()?;
    documents::discard();
    Ok(ReadBalances { before, written, discarded: balance()? })
}

#[cfg(test)]
mod tests {
    use ophost_sdk::serde_json::Value;

    use super::*;

    fn seed_accounts() {
        let memory = documents::memory();
        memory.seed("a", &Account { balance: 10 });
        memory.seed("b", &Account { balance: 5 });
    }

    fn balances() -> Vec<Value> {
        let accounts = documents::memory().documents("accounts").into_values();
        accounts.map(|account| account["balance"].clone()).collect()
    }

    fn invoke_transfer(from: &str, to: &str, amount: i64) -> Result<String> {
        transfer::OPERATION.invoke(&json!({"from": from, "to": to, "amount": amount}).to_string())
    }

    #[test]
    fn an_account_can_be_opened_only_once() {
        let open = || open_account::OPERATION.invoke(r#"{"id": "a", "balance": 7}"#);
        assert_eq!(open().unwrap(), r#"{"id":"a","balance":7}"#);
        assert_eq!(open().unwrap_err().code.as_deref(), Some("exists"));
        assert_eq!(balances(), [7]);
    }

    #[test]
    fn a_transfer_changes_both_balances() {
        seed_accounts();
        assert_eq!(invoke_transfer("a", "b", 3).unwrap(), r#"{"from":7,"to":8}"#);
        assert_eq!(balances(), [7, 8]);
        assert_eq!(audit(ReadCollection::new()).unwrap(), Audit { accounts: 2, total: 15 });
    }

    #[test]
    fn a_failed_transfer_changes_nothing() {
        seed_accounts();
        for (from, to, amount, code) in
            [("a", "b", 11, "not-enough"), ("a", "c", 1, "not-found"), ("a", "a", 1, "stale")]
        {
            let failure = invoke_transfer(from, to, amount).unwrap_err();
            assert_eq!(failure.code.as_deref(), Some(code));
            assert_eq!(balances(), [10, 5]);
        }
    }

    #[test]
    fn a_failure_after_the_transfer_discards_the_transfer() {
        seed_accounts();
        let then = |then| {
            let input = json!({"from": "a", "to": "b", "amount": 1, "then": then});
            transfer_then::OPERATION.invoke(&input.to_string())
        };
        assert_eq!(then("fail").unwrap_err().message, "the input requests a failure");
        assert_eq!(balances(), [10, 5]);
        then("succeed").unwrap();
        assert_eq!(balances(), [9, 6]);
    }

    #[test]
    fn discarded_writes_are_not_read() {
        seed_accounts();
        let read = discard_and_return(AccountId { id: "a".into() }, Collection::new()).unwrap();
        assert_eq!(read, ReadBalances { before: 10, written: 0, discarded: 10 });
    }
}
