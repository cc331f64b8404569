//! Documents with fields that the models do not have.

use ophost_sdk::serde_json::json;
use ophost_sdk::{Collection, Result, model, operation};

/// A stock.
#[model]
pub(crate) struct Stock {
    title: String,
    quantity: i64,
}

/// A stock without other fields.
#[model(collection = "stocks", strict)]
pub(crate) struct StrictStock {
    title: String,
    quantity: i64,
}

/// The stocks with a changed quantity.
#[model]
pub(crate) struct Taken {
    /// The titles in the order of the ids.
    titles: Vec<String>,
}

/// Takes one of each stock.
#[operation(name = "ledger.take_stock", category = "test", async_enabled = true)]
pub(crate) fn take_stock(stocks: Collection<Stock>) -> Result<Taken> {
    let mut titles = Vec::new();
    for stock in stocks.find(json!({})) {
        let mut stock = stock?;
        stock.value.quantity -= 1;
        stocks.save(&mut stock)?;
        titles.push(stock.value.title);
    }
    Ok(Taken { titles })
}

/// Takes one of each stock. An unknown field is an error.
#[operation(name = "ledger.take_strict_stock", category = "test", async_enabled = true)]
pub(crate) fn take_strict_stock(stocks: Collection<StrictStock>) -> Result<Taken> {
    let mut titles = Vec::new();
    for stock in stocks.find(json!({})) {
        let mut stock = stock?;
        stock.value.quantity -= 1;
        stocks.save(&mut stock)?;
        titles.push(stock.value.title);
    }
    Ok(Taken { titles })
}
