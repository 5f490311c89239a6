use shm::Shared;

#[derive(Shared)]
#[shared(verison = 2)]
struct Sensor {
    #[shared(read_only)]
    id: u64,
    #[shared(defualt)]
    label: String,
}

fn main() {}
