//! What things cost and how they are taxed, read from the JSON files that the shop's buyers edit.
//! Amounts are in minor units (cents), rates in percent. Nothing here computes.

use crate::ask::Refusal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use wasip3::filesystem::preopens::get_directories;
use wasip3::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

const FOLDER: &str = "/data";
const CATALOGUE: &str = "catalogue.json";
const OFFERS: &str = "offers.json";
const TAX: &str = "tax.json";

pub struct Tables {
    pub products: Vec<Product>,
    pub offers: Offers,
    pub countries: BTreeMap<String, Country>,
}

#[derive(Deserialize)]
struct Catalogue {
    products: Vec<Product>,
}

#[derive(Deserialize)]
struct Tax {
    countries: BTreeMap<String, Country>,
}

#[derive(Deserialize)]
pub struct Product {
    pub sku: String,
    pub category: String,
    /// Net, by currency.
    pub price: BTreeMap<String, i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offers {
    /// The most generous first.
    pub quantity_breaks: Vec<Break>,
    pub codes: BTreeMap<String, Code>,
    /// By zone.
    pub shipping: BTreeMap<String, Shipping>,
}

#[derive(Deserialize)]
pub struct Break {
    pub from: i64,
    pub percent: i64,
}

/// A share of the cart or a fixed amount of it.
#[derive(Deserialize)]
pub struct Code {
    pub percent: Option<i64>,
    pub amount: Option<BTreeMap<String, i64>>,
    pub minimum: BTreeMap<String, i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipping {
    pub net: i64,
    pub free_from: i64,
    pub taxed: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Country {
    pub currency: String,
    pub zone: String,
    pub tax_name: String,
    pub display: String,
    /// Absent where only regions have one.
    pub rate: Option<f64>,
    #[serde(default)]
    pub special: BTreeMap<String, Special>,
    #[serde(default)]
    pub regions: BTreeMap<String, Region>,
}

#[derive(Deserialize)]
pub struct Region {
    pub rate: f64,
    #[serde(default)]
    pub special: BTreeMap<String, Special>,
}

/// Another rate for a category: for all of it, for items cheaper than `below`, or for the `first` so much of each item.
#[derive(Deserialize)]
pub struct Special {
    pub rate: f64,
    pub below: Option<i64>,
    pub first: Option<i64>,
}

impl Tables {
    pub fn product(&self, sku: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.sku == sku)
    }
}

/// Changes whenever one of the files does: their sizes and times of last change.
pub async fn version() -> Result<String, Refusal> {
    let folder = folder()?;
    let mut version = String::new();
    for name in [CATALOGUE, OFFERS, TAX] {
        let stat = folder.stat_at(PathFlags::empty(), name.to_owned()).await;
        let stat = stat.map_err(|error| Refusal::broken(format!("{FOLDER}/{name}: {error}")))?;
        let at = stat.data_modification_timestamp.map_or((0, 0), |at| (at.seconds, at.nanoseconds));
        version.push_str(&format!("{:x}.{:x}.{:x}-", stat.size, at.0, at.1));
    }
    Ok(version)
}

pub async fn read() -> Result<Tables, Refusal> {
    let folder = folder()?;
    let catalogue: Catalogue = file(&folder, CATALOGUE).await?;
    let tax: Tax = file(&folder, TAX).await?;
    Ok(Tables { products: catalogue.products, offers: file(&folder, OFFERS).await?, countries: tax.countries })
}

fn folder() -> Result<Descriptor, Refusal> {
    let mut granted = get_directories().into_iter();
    granted
        .find(|(_, to)| to == FOLDER)
        .map(|(folder, _)| folder)
        .ok_or_else(|| Refusal::broken(format!("no folder is granted as {FOLDER}")))
}

async fn file<T: DeserializeOwned>(folder: &Descriptor, name: &str) -> Result<T, Refusal> {
    let broken = |cause: String| Refusal::broken(format!("{FOLDER}/{name}: {cause}"));
    let path = name.to_owned();
    let opened = folder.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ).await;
    let (bytes, end) = opened.map_err(|error| broken(error.to_string()))?.read_via_stream(0);
    let bytes = bytes.collect().await;
    end.await.map_err(|error| broken(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))
}
