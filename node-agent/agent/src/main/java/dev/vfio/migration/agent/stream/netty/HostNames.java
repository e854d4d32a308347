package dev.vfio.migration.agent.stream.netty;

import io.netty.util.NetUtil;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Finds the addresses of hosts. The machine's resolver may hang, and no caller waits for it, least
 * of all an event loop: names are looked up on threads that do nothing else. An address needs no
 * looking up. Thread-safe.
 */
final class HostNames implements AutoCloseable {
  /** Side by side; what hangs keeps its thread. */
  static final int MAX_LOOKUPS = 16;

  /** As the machine does it; may block. */
  @FunctionalInterface
  interface Resolver {
    InetAddress addressOf(String host) throws UnknownHostException;
  }

  private final Resolver resolver;
  private final Duration limit;
  private final ThreadPoolExecutor threads =
      new ThreadPoolExecutor(
          0,
          MAX_LOOKUPS,
          10,
          TimeUnit.SECONDS,
          new SynchronousQueue<>(),
          new DefaultThreadFactory("host-names", true));

  /**
   * @param limit of one look-up
   */
  HostNames(Resolver resolver, Duration limit) {
    this.resolver = resolver;
    this.limit = limit;
  }

  /**
   * Does not block.
   *
   * @return fails with an {@link IOException} that says why, for people
   */
  CompletableFuture<InetSocketAddress> find(String host, int port) {
    CompletableFuture<InetSocketAddress> found = new CompletableFuture<>();
    InetAddress address = NetUtil.createInetAddressFromIpAddressString(host);
    if (address != null) {
      found.complete(new InetSocketAddress(address, port));
      return found;
    }
    try {
      threads.execute(() -> lookUp(host, port, found));
    } catch (RejectedExecutionException full) {
      found.completeExceptionally(
          new IOException(
              String.format(
                  "the name %s cannot be looked up: %s look-ups hang, or this agent ends; see this"
                      + " node's resolver (DNS)",
                  host, MAX_LOOKUPS),
              full));
    }
    CompletableFuture.delayedExecutor(limit.toNanos(), TimeUnit.NANOSECONDS)
        .execute(
            () ->
                found.completeExceptionally(
                    new IOException(
                        String.format(
                            "the name %s was not found within %s ms; see this node's resolver"
                                + " (DNS)",
                            host, limit.toMillis()))));
    return found;
  }

  private void lookUp(String host, int port, CompletableFuture<InetSocketAddress> found) {
    try {
      found.complete(new InetSocketAddress(resolver.addressOf(host), port));
    } catch (UnknownHostException unknown) {
      found.completeExceptionally(
          new IOException("no host of the name " + host + " is known to this node (DNS)", unknown));
    } catch (RuntimeException | Error fault) {
      // Whoever waits gets the failure.
      found.completeExceptionally(fault);
    }
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
