export function volatility(prices: Float64Array): number {
  let worst = 0;
  for (let window = 2; window < 200; window++) {
    let sum = 0;
    let squares = 0;
    for (let i = 1; i < prices.length; i++) {
      const change = Math.log(prices[i] / prices[i - 1]);
      sum += change;
      squares += change * change;
      if (i > window) {
        const gone = Math.log(prices[i - window] / prices[i - window - 1]);
        sum -= gone;
        squares -= gone * gone;
      }
      worst = Math.max(worst, squares / window - (sum / window) ** 2);
    }
  }
  return Math.sqrt(worst);
}
