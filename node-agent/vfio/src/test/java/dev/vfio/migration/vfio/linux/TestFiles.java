package dev.vfio.migration.vfio.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import sun.misc.Signal;

/** Real files that stand for those of a driver, and signals that break off calls on them. */
public final class TestFiles {
  private static final String SIGNAL = "URG";

  private TestFiles() {}

  private static final class More {
    static {
      Native.register(More.class, Platform.C_LIBRARY_NAME);
    }

    static native int pipe2(int[] ends, int flags);

    static native int siginterrupt(int signal, int interrupts);

    static native int tgkill(int process, int thread, int signal);

    static native int gettid();
  }

  /** Both ends of a pipe. */
  public record Pipe(DriverFile reading, DriverFile writing) implements AutoCloseable {
    @Override
    public void close() {
      reading.close();
      writing.close();
    }
  }

  public static Pipe pipe() {
    int[] ends = new int[2];
    if (More.pipe2(ends, LibC.O_CLOEXEC) < 0) {
      throw new IllegalStateException(Errno.describe(LibC.lastErrno()));
    }
    return new Pipe(DriverFile.installed(ends[0]), DriverFile.installed(ends[1]));
  }

  /** A file in memory. */
  public static DriverFile memory(String name, long size) {
    int fd = LibC.memfd_create((name + "\0").getBytes(StandardCharsets.UTF_8), 0);
    DriverFile file = DriverFile.installed(fd);
    resize(file, size);
    return file;
  }

  public static void resize(DriverFile file, long size) {
    if (LibC.ftruncate(file.descriptor().number(), size) < 0) {
      throw new IllegalStateException(Errno.describe(LibC.lastErrno()));
    }
  }

  /** What the descriptor is called in {@code /proc/self/fd}, which no other open file is. */
  public static String name(DriverFile file) throws IOException {
    return link(file.descriptor().number());
  }

  public static int number(DriverFile file) {
    return file.descriptor().number();
  }

  private static String link(int number) throws IOException {
    return Files.readSymbolicLink(Path.of("/proc/self/fd", Integer.toString(number))).toString();
  }

  /** How many descriptors of this process have that name. */
  public static int open(String name) throws IOException {
    int found = 0;
    try (DirectoryStream<Path> links = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path link : links) {
        try {
          found += Files.readSymbolicLink(link).toString().equals(name) ? 1 : 0;
        } catch (NoSuchFileException closedMeanwhile) {
          found += 0;
        }
      }
    }
    return found;
  }

  public static ByteBuffer bytes(int... values) {
    ByteBuffer buffer = room(values.length);
    for (int i = 0; i < values.length; i++) {
      buffer.put(i, (byte) values[i]);
    }
    return buffer;
  }

  public static ByteBuffer room(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  /** A call that another thread waits in, to be broken off by signals. */
  public static final class Waiting {
    private final Thread thread;
    private final CountDownLatch started = new CountDownLatch(1);
    private volatile int id;
    private volatile Throwable failure;

    /** What the thread does. */
    @FunctionalInterface
    public interface Work {
      void run() throws Exception;
    }

    public Waiting(Work work) {
      thread =
          new Thread(
              () -> {
                id = More.gettid();
                started.countDown();
                try {
                  work.run();
                } catch (Exception | Error thrown) {
                  failure = thrown;
                }
              });
      thread.setDaemon(true);
      thread.start();
    }

    /** Returns once the thread sleeps in a call of the kernel that starts with that number. */
    public Waiting untilIn(int call) throws Exception {
      started.await();
      Path where = Path.of("/proc/self/task", Integer.toString(id), "syscall");
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
      while (thread.isAlive() && !Files.readString(where).startsWith(call + " ")) {
        if (System.nanoTime() - deadline > 0) {
          throw new AssertionError("the thread is in: " + Files.readString(where));
        }
        Thread.onSpinWait();
      }
      return this;
    }

    /** Breaks off the call that the thread is in. */
    public Waiting signal() throws InterruptedException {
      CountDownLatch handled = new CountDownLatch(1);
      Signal signal = new Signal(SIGNAL);
      Signal.handle(signal, unused -> handled.countDown());
      More.siginterrupt(signal.getNumber(), 1);
      More.tgkill((int) ProcessHandle.current().pid(), id, signal.getNumber());
      if (!handled.await(60, TimeUnit.SECONDS)) {
        throw new AssertionError("the signal was not handled");
      }
      return this;
    }

    public boolean ended() {
      return !thread.isAlive();
    }

    /** Waits for the end and throws what the work threw. */
    public void join() throws Exception {
      thread.join(TimeUnit.SECONDS.toMillis(60));
      if (thread.isAlive()) {
        throw new AssertionError("the thread still waits");
      }
      if (failure instanceof Exception exception) {
        throw exception;
      }
      if (failure instanceof Error error) {
        throw error;
      }
    }
  }
}
