package dev.vfio.migration.sandbox.devices.fault;

import dev.vfio.migration.sandbox.devices.lifecycle.DeviceState;
import dev.vfio.migration.sandbox.devices.log.EventLog;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The faults that are set at the moment. Each logs an event {@code fault} when it first fires, and
 * each time if it fails or stalls something. Thread-safe; never calls back into the device.
 */
public final class ActiveFaults {
  private static final class Armed {
    private final Fault fault;
    private int fired;

    Armed(Fault fault) {
      this.fault = fault;
    }
  }

  private final EventLog log;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final List<Armed> armed = new ArrayList<>();
  // read without the lock, so that a device without faults pays nothing for asking at every step
  private volatile boolean anyArmed;

  public ActiveFaults(EventLog log) {
    this.log = log;
  }

  public void add(Fault fault) {
    lock.lock();
    try {
      armed.add(new Armed(fault));
      anyArmed = true;
    } finally {
      lock.unlock();
    }
  }

  /** Removes every fault and lets what is stalled go on. */
  public void clear() {
    lock.lock();
    try {
      armed.clear();
      anyArmed = false;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** The notations of all faults that are not spent. */
  public List<String> notations() {
    lock.lock();
    try {
      return armed.stream()
          .filter(it -> it.fired < it.fault.times())
          .map(it -> it.fault.notation())
          .toList();
    } finally {
      lock.unlock();
    }
  }

  /** Takes the fault of that kind for that state, if one is set; this counts as firing. */
  public Optional<Fault> fire(FaultKind kind, DeviceState state) {
    return fire(kind, state, Long.MAX_VALUE);
  }

  /** The same, for faults that wait until {@code amount} has reached their number. */
  public Optional<Fault> fire(FaultKind kind, DeviceState state, long amount) {
    if (!anyArmed) {
      return Optional.empty();
    }
    lock.lock();
    try {
      for (Armed candidate : armed) {
        Fault fault = candidate.fault;
        boolean fits =
            fault.kind() == kind
                && (fault.state() == null || fault.state() == state)
                && candidate.fired < fault.times()
                && amount >= fault.number();
        if (fits) {
          candidate.fired++;
          if (candidate.fired == 1 || kind == FaultKind.FAIL_TRANSITION) {
            log(fault, state);
          }
          return Optional.of(fault);
        }
      }
      return Optional.empty();
    } finally {
      lock.unlock();
    }
  }

  /** Refuses if a fault of that kind is set for that state. */
  public void refuse(FaultKind kind, DeviceState state, long amount) throws RefusalException {
    Optional<Fault> fault = fire(kind, state, amount);
    if (fault.isPresent()) {
      throw new RefusalException(
          fault.get().errno(), "fault on demand: " + fault.get().notation() + " in " + state);
    }
  }

  /** Holds the caller as long as a {@code stall} for that state says, or until it is cleared. */
  public void stall(DeviceState state) {
    Optional<Fault> stall = fire(FaultKind.STALL, state);
    if (stall.isEmpty()) {
      return;
    }
    long remaining = TimeUnit.MILLISECONDS.toNanos(stall.get().number());
    lock.lock();
    try {
      while (remaining > 0 && armed.stream().anyMatch(it -> it.fault == stall.get())) {
        remaining = changed.awaitNanos(remaining);
      }
    } catch (InterruptedException e) {
      // the process is ending; the interrupt is kept for whoever owns this thread
      Thread.currentThread().interrupt();
    } finally {
      lock.unlock();
    }
  }

  private void log(Fault fault, DeviceState state) {
    log.event(
        "fault",
        line -> {
          line.writeStringField("fault", fault.kind().notation());
          line.writeStringField("spec", fault.notation());
          line.writeStringField("detail", fault.kind().description());
          line.writeStringField("state", state.name());
        });
  }
}
