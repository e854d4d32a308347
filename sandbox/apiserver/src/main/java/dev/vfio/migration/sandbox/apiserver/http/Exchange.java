package dev.vfio.migration.sandbox.apiserver.http;

/**
 * A request that waits for its answer: exactly one of {@link #reply} and {@link #stream} is called,
 * once, from any thread.
 */
public interface Exchange {
  /** What was asked. */
  ApiRequest request();

  /** Answers with a whole body. */
  void reply(Reply reply);

  /** Answers with 200 and a body that is written bit by bit. */
  ResponseStream stream(String contentType);
}
