//! An order book: this feed handler keeps it, the strategies of `order_book.py` watch and trade.
//!
//! `order_book NAME` feeds the book of a segment until a strategy has closed it; alone it makes a
//! segment and a strategy of its own. Orders are exchanged by one word, so each is taken once.

use std::time::{Duration, Instant};

use shm::{Segment, SegmentOptions, Shared};

/// A price and how much there is.
#[derive(Shared, Debug, Clone, Copy, PartialEq)]
#[shared(name = "book.Level")]
struct Level {
    price: f64,
    size: u32,
}

#[derive(Shared, Debug, Clone)]
#[shared(name = "book.Book")]
struct Book {
    #[shared(readonly)]
    symbol: String,
    bids: [Level; 5],
    asks: [Level; 5],
    /// Counts the changes.
    version: u64,
    /// Strategies set it from 0 to their number; the feed answers by 0 and a fill.
    order: u32,
    fills: Vec<u32>,
    closed: bool,
}

fn level(version: u64, depth: usize, side: f64) -> Level {
    let middle = 100.0 + f64::from((version % 16) as u32) / 16.0;
    Level {
        price: middle + side * f64::from(depth as u32 + 1) / 4.0,
        size: 10 * (depth as u32 + 1),
    }
}

fn feed(book: &BookRef) -> Result<(), shm::Error> {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !book.closed() && Instant::now() < deadline {
        // All ten levels change at once: no strategy ever sees a crossed book.
        book.update(|book| {
            book.version += 1;
            book.bids = std::array::from_fn(|depth| level(book.version, depth, -1.0));
            book.asks = std::array::from_fn(|depth| level(book.version, depth, 1.0));
        })?;
        let order = book.order();
        if order != 0 && book.compare_exchange_order(order, 0)? {
            book.fills().push(order)?;
        }
    }
    Ok(())
}

fn strategy(book: &BookRef) -> Result<(), shm::Error> {
    for number in 1..=100 {
        let seen = book.load()?;
        assert!(seen.bids[0].price < seen.asks[0].price);
        while !book.compare_exchange_order(0, number)? {
            std::thread::yield_now();
        }
    }
    while book.fills().len()? < 100 {
        std::thread::yield_now();
    }
    book.set_closed(true)
}

fn main() -> Result<(), shm::Error> {
    let name = std::env::args().nth(1);
    let segment = match &name {
        Some(name) => Segment::attach(name, SegmentOptions::new())?,
        None => Segment::create_anonymous(SegmentOptions::new().size(64 << 20))?,
    };
    let book = segment.alloc(Book {
        symbol: "XYZ".into(),
        bids: std::array::from_fn(|depth| level(0, depth, -1.0)),
        asks: std::array::from_fn(|depth| level(0, depth, 1.0)),
        version: 0,
        order: 0,
        fills: Vec::new(),
        closed: false,
    })?;
    segment.root().insert("book", &book)?;
    let own = name.is_none().then(|| book.clone());
    let strategy = std::thread::spawn(move || own.map_or(Ok(()), |book| strategy(&book)));
    feed(&book)?;
    strategy.join().expect("the strategy did not panic")?;
    println!("{}: {} versions, {} fills", book.symbol()?, book.version(), book.fills().len()?);
    Ok(())
}
