use super::*;

impl<J> std::fmt::Debug for Caller<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Caller")
    }
}

async fn put(caller: &Caller<u32>, jobs: impl IntoIterator<Item = u32>) {
    for job in jobs {
        caller.put(job).await.unwrap();
    }
}

async fn next(seat: &Seat<u32>) -> (Turn<u32>, u32) {
    let mut turn = seat.take().await.unwrap();
    let job = turn.take_job().unwrap();
    (turn, job)
}

#[tokio::test]
async fn one_slot_takes_fresh_and_begun_jobs_in_turn() {
    let (queue, seats) = Queue::new(1, 10);
    let caller = queue.enter().unwrap();
    put(&caller, 0..4).await;
    let mut order = Vec::new();
    for _ in 0..6 {
        let (turn, job) = next(&seats[0]).await;
        order.push(job);
        if job == 0 {
            turn.put_back(job);
        }
    }
    assert_eq!(order, [0, 0, 1, 0, 2, 0]);
}

#[tokio::test]
async fn one_of_several_slots_never_takes_a_job_that_was_begun() {
    let (queue, seats) = Queue::new(3, 10);
    let caller = queue.enter().unwrap();
    put(&caller, 0..3).await;
    let mut turns = Vec::new();
    for seat in &seats {
        turns.push(next(seat).await);
    }
    for (turn, job) in turns {
        turn.put_back(job);
    }
    let (first, second) = (next(&seats[0]).await, next(&seats[1]).await);
    assert_eq!((first.1, second.1), (0, 1));
    let waiting = async { next(&seats[2]).await };
    let fresh = async {
        tokio::task::yield_now().await;
        put(&caller, [7]).await;
    };
    let ((turn, job), ()) = tokio::join!(waiting, fresh);
    assert_eq!(job, 7);
    drop((turn, first));
    assert_eq!(next(&seats[2]).await.1, 2);
}

#[tokio::test]
async fn a_closed_queue_is_worked_off_before_it_ends() {
    let (queue, seats) = Queue::new(2, 1);
    let caller = queue.enter().unwrap();
    put(&caller, [1]).await;
    queue.close();
    assert_eq!(queue.enter().err(), Some(Closed));
    let work = |seat: Seat<u32>| async move {
        let mut taken = Vec::new();
        while let Some(mut turn) = seat.take().await {
            let job = turn.take_job().unwrap();
            if taken.contains(&job) || job > 2 {
                taken.push(job);
            } else {
                taken.push(job);
                turn.put_back(job);
            }
            tokio::task::yield_now().await;
        }
        taken
    };
    let [one, other] = seats.try_into().map_err(|_| ()).unwrap();
    // A caller that is in may put more, as soon as there is room.
    let putting = async move { put(&caller, [2, 3]).await };
    let (mut taken, others, ()) = tokio::join!(work(one), work(other), putting);
    taken.extend(others);
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken, [1, 2, 3]);
}

#[tokio::test]
async fn jobs_of_a_queue_without_slots_are_dropped_and_refused() {
    let (queue, seats) = Queue::new(1, 1);
    let caller = queue.enter().unwrap();
    let (reply, answer) = tokio::sync::oneshot::channel::<()>();
    caller.put(reply).await.unwrap();
    let (other, _) = tokio::sync::oneshot::channel::<()>();
    let waiting = caller.put(other);
    let ending = async { drop(seats) };
    let (refused, ()) = tokio::join!(waiting, ending);
    assert_eq!(refused, Err(Closed));
    assert!(answer.await.is_err());
    assert_eq!(queue.enter().err(), Some(Closed));
}
