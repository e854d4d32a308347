package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.session.SessionClock;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.OptionalLong;
import java.util.PriorityQueue;
import java.util.stream.LongStream;

/**
 * Runs everything there is on one thread: tasks of one lane in order, those of different lanes in
 * any order that chance picks. Time is virtual.
 */
final class Loop implements SessionClock {
  private static final long MAX_STEP_NANOS = 400_000;

  /** Tasks that run one after the other. */
  final class Lane {
    private final String name;
    private final Deque<Runnable> tasks = new ArrayDeque<>();
    private boolean ended;
    private long stoppedUntil;

    private Lane(String name) {
      this.name = name;
    }

    void add(Runnable task) {
      if (!ended) {
        tasks.add(task);
      }
    }

    Timed later(long delayNanos, Runnable task) {
      Timed timed = new Timed(this, now + Math.max(0, delayNanos), order++, task);
      timers.add(timed);
      return timed;
    }

    /** Runs the lane's next task; false where there is none. */
    boolean runNext() {
      Runnable task = tasks.poll();
      if (task == null) {
        return false;
      }
      task.run();
      return true;
    }

    /** Runs nothing for so long; what is added waits. */
    void stop(long nanos) {
      stoppedUntil = now + nanos;
    }

    private boolean isReady() {
      return !tasks.isEmpty() && stoppedUntil <= now;
    }

    void end() {
      ended = true;
      tasks.clear();
      lanes.remove(this);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static final class Timed implements Comparable<Timed> {
    private final Lane lane;
    private final long at;
    private final long order;
    private final Runnable task;
    private boolean cancelled;

    private Timed(Lane lane, long at, long order, Runnable task) {
      this.lane = lane;
      this.at = at;
      this.order = order;
      this.task = task;
    }

    void cancel() {
      cancelled = true;
    }

    @Override
    public int compareTo(Timed other) {
      int byTime = Long.compare(at, other.at);
      return byTime != 0 ? byTime : Long.compare(order, other.order);
    }
  }

  private final Chance chance;
  private final List<Lane> lanes = new ArrayList<>();
  private final PriorityQueue<Timed> timers = new PriorityQueue<>();
  private long now = 1_000_000_000L;
  private long order;

  Loop(Chance chance) {
    this.chance = chance;
  }

  Lane lane(String name) {
    Lane lane = new Lane(name);
    lanes.add(lane);
    return lane;
  }

  /**
   * Runs one task; moves time on to the next timer where there is none. False where all is done.
   */
  boolean step() {
    now += 1 + chance.below((int) MAX_STEP_NANOS);
    release();
    List<Lane> ready = lanes.stream().filter(Lane::isReady).toList();
    if (ready.isEmpty()) {
      OptionalLong next = nextMoment();
      if (next.isEmpty()) {
        return false;
      }
      now = Math.max(now, next.getAsLong());
      release();
      return true;
    }
    return ready.get(chance.below(ready.size())).runNext();
  }

  /** When something can go on: a timer, or a lane that was stopped. */
  private OptionalLong nextMoment() {
    LongStream stopped =
        lanes.stream().filter(lane -> !lane.tasks.isEmpty()).mapToLong(lane -> lane.stoppedUntil);
    Timed timer = nextTimer();
    return LongStream.concat(stopped, timer == null ? LongStream.empty() : LongStream.of(timer.at))
        .min();
  }

  private void release() {
    for (Timed next = nextTimer(); next != null && next.at <= now; next = nextTimer()) {
      timers.poll();
      next.lane.add(next.task);
    }
  }

  private Timed nextTimer() {
    while (!timers.isEmpty() && (timers.peek().cancelled || timers.peek().lane.ended)) {
      timers.poll();
    }
    return timers.peek();
  }

  @Override
  public long nanoTime() {
    return now;
  }

  @Override
  public long epochNanos() {
    return now + 1_700_000_000_000_000_000L;
  }
}
