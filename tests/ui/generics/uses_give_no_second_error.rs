use shm::Shared;

#[derive(Shared)]
struct Pair<'a, A: Shared> {
    first: A,
    second: &'a A,
    id: u64,
}

fn uses(pair: &PairRef<u8>, segment: &shm::Segment) -> Result<(), shm::Error> {
    pair.set_first(pair.first() + 1)?;
    pair.update(|pair| pair.id += 1)?;
    segment.alloc(pair.load()?)?.set_id(1)?;
    segment.root().insert("pair", pair)?;
    println!("{:?}", pair.clone());
    Ok(())
}

fn main() {}
