//! From a checked question to amounts. Pure: whole minor units, half up, discounts spread over the lines so that no
//! cent is lost. The order is that of the Node server (server/pricing/quote.js): quantity break, code, shipping, tax.

use crate::ask::Refusal;
use crate::tables::{Code, Country, Product, Special, Tables};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

pub struct Place<'t> {
    pub name: &'t str,
    pub country: &'t Country,
    pub region: Option<&'t String>,
    pub rate: f64,
    pub special: &'t BTreeMap<String, Special>,
}

pub struct Item<'t> {
    pub product: &'t Product,
    pub qty: i64,
}

pub struct Cart<'t> {
    pub place: Place<'t>,
    pub items: Vec<Item<'t>>,
    pub code: Option<(&'t String, &'t Code)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Head<'t> {
    country: &'t str,
    region: Option<&'t String>,
    currency: &'t str,
    tax_name: &'t str,
    /// "gross" or "net": which amount shoppers there expect to see.
    display: &'t str,
}

/// One product, `qty` times. `list` is before discounts; `net`, `tax` and `gross` after.
#[derive(Serialize)]
pub struct Line<'t> {
    sku: &'t str,
    qty: i64,
    unit: i64,
    list: i64,
    discount: i64,
    net: i64,
    rate: f64,
    tax: i64,
    gross: i64,
    #[serde(skip)]
    shares: Vec<Share>,
}

/// An amount and the rate it is taxed at.
#[derive(Serialize, Clone)]
pub struct Share {
    rate: f64,
    base: i64,
    tax: i64,
}

#[derive(Serialize)]
pub struct List<'t> {
    #[serde(flatten)]
    head: Head<'t>,
    prices: Vec<Line<'t>>,
}

#[derive(Serialize)]
pub struct Single<'t> {
    #[serde(flatten)]
    head: Head<'t>,
    #[serde(flatten)]
    line: Line<'t>,
}

#[derive(Serialize)]
pub struct Total<'t> {
    #[serde(flatten)]
    head: Head<'t>,
    lines: Vec<Line<'t>>,
    code: Option<Used<'t>>,
    list: i64,
    discount: i64,
    shipping: Share,
    net: i64,
    taxes: Vec<Share>,
    tax: i64,
    total: i64,
}

#[derive(Serialize)]
struct Used<'t> {
    code: &'t str,
    amount: i64,
}

/// Every product, one of each.
pub fn list<'t>(tables: &'t Tables, place: &Place<'t>) -> List<'t> {
    let each = |product| line(tables, place, &Item { product, qty: 1 });
    List { head: head(place), prices: tables.products.iter().map(|p| taxed(place, each(p), p)).collect() }
}

pub fn single<'t>(tables: &'t Tables, cart: &Cart<'t>) -> Result<Single<'t>, Refusal> {
    let item = cart.items.first().ok_or_else(|| Refusal::broken("a single quote without an item"))?;
    let line = taxed(&cart.place, line(tables, &cart.place, item), item.product);
    Ok(Single { head: head(&cart.place), line })
}

pub fn cart<'t>(tables: &'t Tables, cart: &Cart<'t>) -> Result<Total<'t>, Refusal> {
    let place = &cart.place;
    let mut lines: Vec<_> = cart.items.iter().map(|item| line(tables, place, item)).collect();
    let goods: i64 = lines.iter().map(|line| line.net).sum();
    let code = match cart.code {
        None => None,
        Some((name, code)) => Some(Used { code: name, amount: worth(name, code, place, goods)? }),
    };
    if let Some(code) = &code {
        let weights: Vec<i64> = lines.iter().map(|line| line.net).collect();
        for (line, part) in lines.iter_mut().zip(spread(code.amount, &weights)) {
            line.discount += part;
            line.net -= part;
        }
    }
    let lines: Vec<_> = lines.into_iter().zip(&cart.items).map(|(l, item)| taxed(place, l, item.product)).collect();
    let goods: i64 = lines.iter().map(|line| line.net).sum();
    let shipping = shipping(tables, place, goods)?;
    let taxes = by_rate(lines.iter().flat_map(|line| &line.shares).chain([&shipping]));
    let net = goods + shipping.base;
    let tax: i64 = taxes.iter().map(|share| share.tax).sum();
    Ok(Total {
        head: head(place),
        list: lines.iter().map(|line| line.list).sum(),
        discount: lines.iter().map(|line| line.discount).sum(),
        lines,
        code,
        shipping,
        net,
        taxes,
        tax,
        total: net + tax,
    })
}

fn head<'t>(place: &Place<'t>) -> Head<'t> {
    Head {
        country: place.name,
        region: place.region,
        currency: &place.country.currency,
        tax_name: &place.country.tax_name,
        display: &place.country.display,
    }
}

/// A line with its quantity break, not taxed yet.
fn line<'t>(tables: &'t Tables, place: &Place<'t>, item: &Item<'t>) -> Line<'t> {
    let unit = item.product.price.get(&place.country.currency).copied().unwrap_or_default();
    let list = unit * item.qty;
    let found = tables.offers.quantity_breaks.iter().find(|offer| item.qty >= offer.from);
    let discount = found.map_or(0, |offer| percent(list, offer.percent as f64));
    let net = list - discount;
    let sku = &item.product.sku;
    Line { sku, qty: item.qty, unit, list, discount, net, rate: 0.0, tax: 0, gross: 0, shares: Vec::new() }
}

fn taxed<'t>(place: &Place<'t>, mut line: Line<'t>, product: &Product) -> Line<'t> {
    let special = place.special.get(&product.category);
    let reduced = special.map_or(0, |special| match (special.below, special.first) {
        (Some(below), _) if line.net >= below * line.qty => 0,
        (None, Some(first)) => line.net.min(first * line.qty),
        _ => line.net,
    });
    let special_rate = special.map_or(place.rate, |special| special.rate);
    line.rate = if reduced == line.net { special_rate } else { place.rate };
    let shares = [(special_rate, reduced), (place.rate, line.net - reduced)];
    let shares = shares.into_iter().filter(|(_, base)| *base > 0);
    line.shares = shares.map(|(rate, base)| Share { rate, base, tax: percent(base, rate) }).collect();
    line.tax = line.shares.iter().map(|share| share.tax).sum();
    line.gross = line.net + line.tax;
    line
}

/// What a code takes off goods of this net worth.
fn worth(name: &str, code: &Code, place: &Place<'_>, goods: i64) -> Result<i64, Refusal> {
    let currency = &place.country.currency;
    let minimum = code.minimum.get(currency).copied().unwrap_or_default();
    if goods < minimum {
        let message = format!("{name} needs goods for {}.{:02} {currency} before tax", minimum / 100, minimum % 100);
        return Err(Refusal::bad("code_minimum", "code", message));
    }
    let fixed = code.amount.as_ref().and_then(|amounts| amounts.get(currency)).copied().unwrap_or_default();
    Ok(code.percent.map_or(fixed, |share| percent(goods, share as f64)).min(goods))
}

fn shipping(tables: &Tables, place: &Place<'_>, goods: i64) -> Result<Share, Refusal> {
    let zone = &place.country.zone;
    let offer = tables.offers.shipping.get(zone);
    let offer = offer.ok_or_else(|| Refusal::broken(format!("no shipping for the zone {zone}")))?;
    let base = if goods >= offer.free_from { 0 } else { offer.net };
    let rate = if offer.taxed { place.rate } else { 0.0 };
    Ok(Share { rate, base, tax: percent(base, rate) })
}

/// Summed by rate, the highest first.
fn by_rate<'s>(shares: impl Iterator<Item = &'s Share>) -> Vec<Share> {
    let mut sums: Vec<Share> = Vec::new();
    for share in shares.filter(|share| share.base > 0) {
        match sums.iter_mut().find(|sum| sum.rate == share.rate) {
            Some(sum) => {
                sum.base += share.base;
                sum.tax += share.tax;
            }
            None => sums.push(share.clone()),
        }
    }
    sums.sort_by(|a, b| b.rate.total_cmp(&a.rate));
    sums
}

/// `rate` percent of `amount`, half up. Rates have at most four decimals, so this is exact.
fn percent(amount: i64, rate: f64) -> i64 {
    let millionths = (rate * 10_000.0).round() as i64;
    (amount * millionths + 500_000) / 1_000_000
}

/// Splits an amount by weight: whole parts, then one cent each to the largest remainders, the earlier line first.
fn spread(amount: i64, weights: &[i64]) -> Vec<i64> {
    let whole = weights.iter().sum::<i64>().max(1);
    let mut parts: Vec<i64> = weights.iter().map(|weight| amount * weight / whole).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&index| Reverse(weights.get(index).map_or(0, |weight| amount * weight % whole)));
    let left = amount - parts.iter().sum::<i64>();
    for index in order.into_iter().take(usize::try_from(left).unwrap_or_default()) {
        if let Some(part) = parts.get_mut(index) {
            *part += 1;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_rounds_half_up() {
        assert_eq!(percent(2350, 19.0), 447); // 446.5
        assert_eq!(percent(1000, 25.5), 255);
        assert_eq!(percent(13_500, 6.625), 894); // 894.375
        assert_eq!(percent(999, 0.0), 0);
    }

    #[test]
    fn spread_loses_no_cent_and_favours_the_largest_remainder() {
        assert_eq!(spread(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(spread(5, &[10, 30, 60]), [1, 1, 3]); // 0.5, 1.5 and 3.0: a tie, so the earlier line
        assert_eq!(spread(0, &[5, 5]), [0, 0]);
    }
}
