use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: std::marker::PhantomData<u8>,
}

fn main() {}
