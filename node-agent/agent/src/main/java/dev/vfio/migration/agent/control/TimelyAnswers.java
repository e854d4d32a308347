package dev.vfio.migration.agent.control;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.quarkus.grpc.GlobalInterceptor;
import io.vertx.core.Vertx;
import io.vertx.core.impl.ContextInternal;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.inject.spi.Prioritized;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jboss.logging.Logger;

/**
 * Answers every call while its caller still waits, or never. A call that is about to pass its
 * caller's deadline is answered here with DEADLINE_EXCEEDED, and whatever carries it out goes on;
 * what answers later, or after the caller has cancelled the call or closed its connection, answers
 * nobody.
 *
 * <p>Without this one late answer ends the caller's connection, and with it every other call on it:
 * the HTTP/2 server below writes to a stream that its caller has reset, takes its own failure for a
 * fault of the connection, and sends GOAWAY. Nor does it tell who serves a call that the call was
 * reset.
 *
 * <p>Everything that a call sends is sent on its event loop, which is where a reset arrives: no
 * answer can be on its way to a stream that is closed. Answers may be given on any thread.
 */
@GlobalInterceptor
@Singleton
public final class TimelyAnswers implements ServerInterceptor, Prioritized {
  private static final Logger LOG = Logger.getLogger(TimelyAnswers.class);

  /** As every gRPC client sends it: at most eight digits, and a unit. */
  private static final Metadata.Key<String> TIMEOUT =
      Metadata.Key.of("grpc-timeout", Metadata.ASCII_STRING_MARSHALLER);

  private static final Pattern TIMEOUT_FORM = Pattern.compile("([0-9]{1,8})([HMSmun])");

  /**
   * How much of a caller's time is kept for the answer's way to the caller; of a short time it is a
   * quarter.
   */
  static final Duration MAX_MARGIN = Duration.ofSeconds(1);

  /** The outermost interceptor: what the others answer goes through here, too. */
  @Override
  public int getPriority() {
    return Integer.MAX_VALUE;
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    ContextInternal eventLoop = (ContextInternal) Vertx.currentContext();
    RoutingContext http = eventLoop.getLocal(RoutingContext.class.getName());
    TimelyCall<Q, A> timely = new TimelyCall<>(call, eventLoop);
    ServerCall.Listener<Q> listener =
        timely.servedBy(next.startCall(timely, headers), timeLeft(headers.get(TIMEOUT)));
    // Also where the caller resets the stream after its request has ended.
    http.addEndHandler(unused -> timely.giveUp());
    return listener;
  }

  /**
   * The time until the caller must be answered; null where the caller waits for as long as it
   * takes.
   */
  static Duration timeLeft(String timeout) {
    Matcher form = TIMEOUT_FORM.matcher(timeout == null ? "" : timeout);
    if (!form.matches()) {
      return null;
    }
    long amount = Long.parseLong(form.group(1));
    Duration whole =
        switch (form.group(2)) {
          case "H" -> Duration.ofHours(amount);
          case "M" -> Duration.ofMinutes(amount);
          case "S" -> Duration.ofSeconds(amount);
          case "m" -> Duration.ofMillis(amount);
          case "u" -> Duration.ofNanos(amount * 1000);
          default -> Duration.ofNanos(amount);
        };
    Duration quarter = whole.dividedBy(4);
    return whole.minus(quarter.compareTo(MAX_MARGIN) < 0 ? quarter : MAX_MARGIN);
  }

  /** One call. What is not said otherwise happens on its event loop. */
  private static final class TimelyCall<Q, A> extends SimpleForwardingServerCall<Q, A> {
    private final ContextInternal eventLoop;
    private ServerCall.Listener<Q> served;
    private Long timer;

    /** Whether the call was answered, or nobody waits for it any more. */
    private boolean over;

    /** Whether the call was over before those who serve it had answered. Read on any thread. */
    private volatile boolean cancelled;

    TimelyCall(ServerCall<Q, A> call, ContextInternal eventLoop) {
      super(call);
      this.eventLoop = eventLoop;
    }

    ServerCall.Listener<Q> servedBy(ServerCall.Listener<Q> listener, Duration timeLeft) {
      served = listener;
      if (timeLeft != null && !over) {
        timer = eventLoop.setTimer(Math.max(1, timeLeft.toMillis()), unused -> expire(timeLeft));
      }
      return new SimpleForwardingServerCallListener<>(listener) {
        // What arrives for a call that is over begins nothing: nobody would learn that it ended.

        @Override
        public void onMessage(Q message) {
          if (!over) {
            super.onMessage(message);
          }
        }

        @Override
        public void onHalfClose() {
          if (!over) {
            super.onHalfClose();
          }
        }

        @Override
        public void onReady() {
          if (!over) {
            super.onReady();
          }
        }

        @Override
        public void onCancel() {
          giveUp();
        }

        @Override
        public void onComplete() {
          if (!cancelled) {
            super.onComplete();
          }
        }
      };
    }

    private void expire(Duration timeLeft) {
      if (over) {
        return;
      }
      String method = getMethodDescriptor().getBareMethodName();
      LOG.warnf(
          "%s has taken %d ms: its caller is told so, and not what comes of it",
          method, timeLeft.toMillis());
      cancelled = true;
      super.close(
          Status.DEADLINE_EXCEEDED.withDescription(
              method
                  + " has no answer yet after "
                  + timeLeft.toMillis()
                  + " ms, and its caller waits no longer. If it has begun it goes on, and the"
                  + " stream of sessions tells what came of it; if not, it is not carried out. It"
                  + " may be repeated: nothing is done twice."),
          new Metadata());
      giveUp();
    }

    /** The caller waits no longer, or nobody is to answer it any more. */
    void giveUp() {
      if (ends()) {
        cancelled = true;
        served.onCancel();
      }
    }

    /** Ends the call, once. Whether this was the time that ended it. */
    private boolean ends() {
      if (over) {
        return false;
      }
      over = true;
      if (timer != null) {
        eventLoop.owner().cancelTimer(timer);
      }
      return true;
    }

    @Override
    public void sendHeaders(Metadata headers) {
      onEventLoop(
          () -> {
            if (!over) {
              super.sendHeaders(headers);
            }
          });
    }

    @Override
    public void sendMessage(A message) {
      onEventLoop(
          () -> {
            if (!over) {
              super.sendMessage(message);
            }
          });
    }

    @Override
    public void close(Status status, Metadata trailers) {
      onEventLoop(
          () -> {
            if (ends()) {
              super.close(status, trailers);
            }
          });
    }

    @Override
    public boolean isCancelled() {
      return cancelled || super.isCancelled();
    }

    private void onEventLoop(Runnable sending) {
      if (eventLoop.nettyEventLoop().inEventLoop()) {
        sending.run();
      } else {
        eventLoop.runOnContext(unused -> sending.run());
      }
    }
  }
}
