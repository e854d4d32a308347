package dev.vfio.migration.sandbox.devices.gate;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * What a server does with those who ask: a link that is cut, or a process that hangs, while the
 * device itself goes on. Thread-safe.
 */
public final class Gate {

  /** How those who ask are met. */
  public enum Manner {
    /** They are answered. */
    OPEN,
    /** What they ask is read and stands still, and is carried out once the gate is open again. */
    SILENT,
    /** Each connection is ended, new ones too; what is being carried out goes on. */
    SHUT
  }

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private Manner manner = Manner.OPEN;
  private Runnable hangUp = () -> {};

  /** What ends the connections that there are. */
  public void whenShut(Runnable endsConnections) {
    lock.lock();
    try {
      hangUp = endsConnections;
    } finally {
      lock.unlock();
    }
  }

  /** From now on they are met so. */
  public void set(Manner next) {
    lock.lock();
    try {
      manner = next;
      changed.signalAll();
      if (next == Manner.SHUT) {
        hangUp.run();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Waits while it is silent; whether a request may be carried out then. */
  public boolean letsIn() {
    lock.lock();
    try {
      while (manner == Manner.SILENT) {
        changed.awaitUninterruptibly();
      }
      return manner == Manner.OPEN;
    } finally {
      lock.unlock();
    }
  }
}
