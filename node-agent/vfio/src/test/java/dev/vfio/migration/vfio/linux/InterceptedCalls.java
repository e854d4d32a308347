package dev.vfio.migration.vfio.linux;

import com.sun.jna.Pointer;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/**
 * Stands in for the kernel's drivers below the C library: system calls of one thread that would
 * reach VFIO are put to a model (by the kernel's own seccomp notifications), all others are made.
 * The model runs in this very process, so that it reads and writes the caller's structures where
 * they lie, and the descriptors that it makes are the caller's.
 */
public final class InterceptedCalls {
  /** The answer that lets the kernel make the call after all. */
  public static final long REAL = Long.MIN_VALUE;

  private static final int PREAD = 17;
  private static final int PWRITE = 18;
  private static final int IOCTL = 16;
  private static final int OPENAT = 257;
  private static final int PRCTL = 157;
  private static final int SECCOMP = 317;

  private static final int NO_NEW_PRIVILEGES = 38;
  private static final int SET_MODE_FILTER = 1;
  private static final int NEW_LISTENER = 8;
  private static final int RECEIVE = 0xC0502100;
  private static final int SEND = 0xC0182101;
  private static final int GO_ON = 1;
  private static final int NOTIFICATION_BYTES = 80;
  private static final int ANSWER_BYTES = 24;

  /** Where in what a filter sees, which starts at 16 in a notification. */
  private static final int NUMBER = 0;

  private static final int ARCHITECTURE = 4;
  private static final int FIRST_ARGUMENT = 16;
  private static final int SECOND_ARGUMENT = 24;
  private static final int THIRD_ARGUMENT = 32;
  private static final int FOURTH_ARGUMENT = 40;
  private static final int CALL = 16;

  private static final int LOAD = 0x20;
  private static final int AND = 0x54;
  private static final int EQUAL = 0x15;
  private static final int RETURN = 0x06;
  private static final int ALLOW = 0x7fff0000;
  private static final int NOTIFY = 0x7fc00000;
  private static final int X86_64 = 0xC000003E;

  /** What stands behind the intercepted calls; each answers a value, a negative errno, or REAL. */
  public interface Model {
    /** An {@code open} for reading and writing. */
    long open(String path);

    /** An {@code ioctl} of type {@code ';'}. */
    long ioctl(int fd, int request, Pointer argument);

    /** A {@code pread}. */
    long read(int fd, Pointer into, long count, long offset);

    /** A {@code pwrite}. */
    long write(int fd, Pointer from, long count, long offset);
  }

  /** What the thread does. */
  @FunctionalInterface
  public interface Work {
    void run() throws Exception;
  }

  private final Model model;
  private final CountDownLatch installed = new CountDownLatch(1);
  private volatile int listener = -1;
  private volatile int errno;
  private volatile Throwable failure;

  private InterceptedCalls(Model model) {
    this.model = model;
  }

  /** Runs the work in a thread whose calls the model answers, and throws what it throws. */
  public static void run(Model model, Work work) throws Exception {
    Assumptions.assumeTrue(
        System.getProperty("os.arch").equals("amd64"), "skipped: the filter is one for x86-64");
    new InterceptedCalls(model).run(work);
  }

  private void run(Work work) throws Exception {
    Thread worker = new Thread(() -> work(work), "intercepted");
    worker.start();
    installed.await();
    Assumptions.assumeTrue(
        listener >= 0,
        () -> "skipped: no seccomp notifications on this machine: " + Errno.describe(errno));
    try (DriverFile notifications = DriverFile.installed(listener)) {
      serve(notifications, worker);
    }
    worker.join(TimeUnit.SECONDS.toMillis(60));
    if (failure instanceof Exception exception) {
      throw exception;
    }
    if (failure instanceof Error error) {
      throw error;
    }
  }

  private void work(Work work) {
    try {
      listener = install();
    } finally {
      installed.countDown();
    }
    if (listener >= 0) {
      try {
        work.run();
      } catch (Exception | Error thrown) {
        failure = thrown;
      }
    }
  }

  private int install() {
    long[] program = {
      instruction(LOAD, 0, 0, ARCHITECTURE),
      instruction(EQUAL, 0, 11, X86_64),
      instruction(LOAD, 0, 0, NUMBER),
      instruction(EQUAL, 8, 0, PREAD),
      instruction(EQUAL, 7, 0, PWRITE),
      instruction(EQUAL, 1, 0, OPENAT),
      instruction(EQUAL, 2, 6, IOCTL),
      // openat: by its flags
      instruction(LOAD, 0, 0, THIRD_ARGUMENT),
      instruction(EQUAL, 3, 4, LibC.O_RDWR | LibC.O_CLOEXEC),
      // ioctl: by the type of its request
      instruction(LOAD, 0, 0, SECOND_ARGUMENT),
      instruction(AND, 0, 0, 0xff00),
      instruction(EQUAL, 0, 1, ';' << 8),
      instruction(RETURN, 0, 0, NOTIFY),
      instruction(RETURN, 0, 0, ALLOW),
    };
    return installed(program);
  }

  private static long instruction(int code, int ifTrue, int ifFalse, int constant) {
    return code | (long) ifTrue << 16 | (long) ifFalse << 24 | (long) constant << 32;
  }

  private int installed(long[] program) {
    ByteBuffer code = buffer(program.length * Long.BYTES);
    for (long instruction : program) {
      code.putLong(instruction);
    }
    ByteBuffer header = buffer(16);
    header.putShort(0, (short) program.length).putLong(8, LibC.addressOf(code));
    LibC.syscall(PRCTL, NO_NEW_PRIVILEGES, 1, 0, 0, 0);
    long answer =
        LibC.syscall(SECCOMP, SET_MODE_FILTER, NEW_LISTENER, LibC.addressOf(header), 0, 0);
    errno = answer < 0 ? LibC.lastErrno() : 0;
    Reference.reachabilityFence(code);
    return (int) answer;
  }

  private void serve(DriverFile notifications, Thread worker) throws ErrnoException {
    ByteBuffer asked = buffer(NOTIFICATION_BYTES);
    ByteBuffer answered = buffer(ANSWER_BYTES);
    Duration soon = Duration.ofMillis(20);
    while (worker.isAlive()) {
      if (!notifications.await(DriverFile.Ready.TO_READ, soon)) {
        continue;
      }
      for (int i = 0; i < NOTIFICATION_BYTES; i++) {
        asked.put(i, (byte) 0);
      }
      try {
        notifications.ioctl("SECCOMP_IOCTL_NOTIF_RECV", RECEIVE, asked);
      } catch (ErrnoException ended) {
        // The thread was on its way out.
        continue;
      }
      long answer = answer(asked);
      answered.putLong(0, asked.getLong(0));
      answered.putLong(8, answer == REAL ? 0 : Math.max(0, answer));
      answered.putInt(16, answer == REAL ? 0 : (int) Math.min(0, answer));
      answered.putInt(20, answer == REAL ? GO_ON : 0);
      notifications.ioctl("SECCOMP_IOCTL_NOTIF_SEND", SEND, answered);
    }
  }

  private long answer(ByteBuffer asked) {
    int first = (int) asked.getLong(CALL + FIRST_ARGUMENT);
    long second = asked.getLong(CALL + SECOND_ARGUMENT);
    long third = asked.getLong(CALL + THIRD_ARGUMENT);
    long fourth = asked.getLong(CALL + FOURTH_ARGUMENT);
    try {
      return switch (asked.getInt(CALL + NUMBER)) {
        case OPENAT -> model.open(new Pointer(second).getString(0, StandardCharsets.UTF_8.name()));
        case IOCTL -> model.ioctl(first, (int) second, third == 0 ? null : new Pointer(third));
        case PREAD -> model.read(first, new Pointer(second), third, fourth);
        case PWRITE -> model.write(first, new Pointer(second), third, fourth);
        default -> REAL;
      };
    } catch (RuntimeException | Error broken) {
      failure = broken;
      return -Errno.EFAULT.number();
    }
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }
}
