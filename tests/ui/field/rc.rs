use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: std::rc::Rc<u64>,
}

fn main() {}
